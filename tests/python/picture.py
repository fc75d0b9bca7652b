"""How many colours a PNG has, and the share of the most frequent in percent: `picture.py FILE`. Eight bits a channel."""

import collections
import struct
import sys
import zlib

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
at, packed = 8, b""
while at < len(data):
    (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
    body = data[at + 8 : at + 8 + length]
    if kind == b"IHDR":
        width, height, depth, colour = struct.unpack(">IIBB", body[:10])
    elif kind == b"IDAT":
        packed += body
    at += 12 + length
channels = {2: 3, 6: 4}[colour]
assert depth == 8
raw, stride, before = zlib.decompress(packed), width * channels, bytearray(width * channels)
colours = collections.Counter()
for y in range(height):
    kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
    for x in range(stride):
        left = line[x - channels] if x >= channels else 0
        above, corner = before[x], before[x - channels] if x >= channels else 0
        if kind == 1:
            line[x] = (line[x] + left) & 255
        elif kind == 2:
            line[x] = (line[x] + above) & 255
        elif kind == 3:
            line[x] = (line[x] + (left + above) // 2) & 255
        elif kind == 4:
            guess = left + above - corner
            nearest = min((abs(guess - left), 0, left), (abs(guess - above), 1, above), (abs(guess - corner), 2, corner))
            line[x] = (line[x] + nearest[2]) & 255
    colours.update(bytes(line[x : x + 3]) for x in range(0, stride, channels))
    before = line
print(len(colours), round(100 * colours.most_common(1)[0][1] / (width * height)))
