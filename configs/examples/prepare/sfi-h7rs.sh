#!/bin/bash
# AN5054 section 10: SFI for STM32H7Rx/7Sx with random keys and OB-keys. Without the debug-authentication .obk the part could
# never be opened again; gangway refuses that unless told --allow.
. "$(dirname "$0")/common.sh"
firmware boot.bin 30000
echo "0x00000020, 0x0800E000" >"$dir/keys.kcsv"
cat >"$dir/da.xml" <<XML
<?xml version="1.0" encoding="UTF-8"?>
<Root>
<Obdata>
  <Info><Title>DA</Title><ObDestAddress>0x008A0008</ObDestAddress><DoEncryption>1</DoEncryption>
    <GlobalAlign>32</GlobalAlign></Info>
  <Hash></Hash>
  <DA></DA>
  <Text><Name>Password</Name><Value>$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')</Value><MinWidth>4</MinWidth><Width>16</Width></Text>
  <Output><Name>Output File</Name><Value>da.obk</Value></Output>
</Obdata>
</Root>
XML
"$gangway" obk create "$dir/da.xml" >/dev/null

"$gangway" ob create -devid 0x485 NVSTATE=closed DBG_AUTH="by password" -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x485 -fir "$dir/boot.bin" 0x08000000 --kcsv "$dir/keys.kcsv" --ob-keys "$dir/da.obk" \
        "${secrets[@]}" -ob "$dir/ob.csv" -v 1 -o "$dir/image.sfi"

expect F 0x08000000 boot.bin
expect K 0x0800E000 keys.kcsv
expect O 0x008A0008 da.obk
