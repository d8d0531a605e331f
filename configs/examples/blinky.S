@ blinky.S - a firmware small enough to read: toggles PB0 (green LED of a NUCLEO-H753ZI) for ever.
@ The demo seals it where ST's own example is not at hand. blinky.hex is made from it by:
@   clang --target=thumbv7em-none-eabi -c blinky.S -o blinky.o
@   ld.lld --image-base=0x08000000 -Ttext=0x08000000 --entry=reset blinky.o -o blinky.elf
@   llvm-objcopy -O ihex blinky.elf blinky.hex
@ Addresses: CMSIS stm32h753xx.h - RCC_AHB4ENR 0x580244E0 bit 1, GPIOB 0x58020400.
        .syntax unified
        .thumb
        .section .text
vectors:
        .word   0x20020000              @ stack: end of DTCM
        .word   reset                   @ the assembler sets the Thumb bit
        .rept   14
        .word   fault                   @ every exception stops here
        .endr
        .thumb_func
        .global reset
reset:
        ldr     r0, =0x580244E0
        ldr     r1, [r0]
        orr     r1, r1, #2
        str     r1, [r0]                @ clock for GPIOB
        ldr     r0, =0x58020400
        ldr     r1, [r0]
        bic     r1, r1, #3
        orr     r1, r1, #1
        str     r1, [r0]                @ PB0 is an output
toggle:
        ldr     r1, [r0, #0x14]
        eor     r1, r1, #1
        str     r1, [r0, #0x14]
        ldr     r2, =8000000
delay:
        subs    r2, r2, #1
        bne     delay
        b       toggle
        .thumb_func
fault:
        b       fault
        .ltorg
