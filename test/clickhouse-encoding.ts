/** Rows of a number and a text in the three formats that inserts use, written from ClickHouse's description of each. */
export interface EncodedRow {
  readonly n: number;
  readonly s: Buffer;
}

/** Bytes that are no UTF-8 stay as they are: ClickHouse reads them so. */
export function jsonEachRow(rows: readonly EncodedRow[]): Buffer {
  return Buffer.concat(
    rows.flatMap(({ n, s }) => [Buffer.from(`{"n":${n},"s":"`), jsonText(s), Buffer.from('"}\n')]),
  );
}

export function rowBinary(rows: readonly EncodedRow[]): Buffer {
  return Buffer.concat(rows.flatMap(({ n, s }) => [uint32(n), text(s)]));
}

export function native(rows: readonly EncodedRow[]): Buffer {
  const head = [varint(2), varint(rows.length)];
  const numbers = [text('n'), text('UInt32'), ...rows.map(({ n }) => uint32(n))];
  const texts = [text('s'), text('String'), ...rows.map(({ s }) => text(s))];
  return Buffer.concat([...head, ...numbers, ...texts]);
}

function jsonText(bytes: Buffer): Buffer {
  const spelled = Array.from(bytes, (byte) => {
    if (byte < 0x20) return Buffer.from(`\\u00${byte.toString(16).padStart(2, '0')}`);
    return byte === 0x22 || byte === 0x5c ? Buffer.from([0x5c, byte]) : Buffer.from([byte]);
  });
  return Buffer.concat(spelled);
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
