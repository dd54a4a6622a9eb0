/** The quick way against the complete decoder: whatever it answers at all, it answers the same, to the byte. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventBlockBuilder } from '../metering/event-block.ts';
import { factLimits } from '../metering/facts.ts';
import { decodeEventsBody } from './decode-events.ts';
import { scanEventsBody } from './scan-events.ts';

const receivedAt = Date.UTC(2026, 4, 1, 12);
const event = {
  customerId: 'acme',
  eventName: 'call',
  idempotencyKey: 'k1',
  timestamp: '2026-05-01T11:59:59.120Z',
  dimensions: { region: 'eu', bytes: 120, ratio: 0.25, ok: true },
};
const common = JSON.stringify(event);

describe('the common form', () => {
  it.each([
    ['one event', common],
    ['an array', `[${common},${common}]`],
    ['a list', `{"events":[${common}]}`],
    ['white space', ` { "events" :\n[ ${JSON.stringify(event, null, 2)} , ${common} ]\t}\r\n`],
    ['every field', JSON.stringify({ ...event, resourceId: 'r-1', timestamp: 1_777_636_799_120 })],
    ['no more than is required', '{"idempotencyKey":"k","eventName":"n","customerId":"c"}'],
    ['letters of all the world', JSON.stringify({ ...event, dimensions: { größe: '寿司 🍣' } })],
    ['no dimensions', JSON.stringify({ ...event, dimensions: {} })],
  ])('is taken without the complete decoder: %s', (_, text) => {
    expect(scanned(text)).toBeDefined();
    expect(scanned(text)).toEqual(complete(text));
  });

  it('is taken line by line', () => {
    const lines = `${common}\n\n ${common} \r\n${common}`;
    expect(scanned(lines, ndjson)).toBeDefined();
    expect(scanned(lines, ndjson)).toEqual(complete(lines, ndjson));
  });

  it('goes on beside an event that only the complete decoder knows, and one that is refused', () => {
    const escaped = common.replace('acme', 'ac\\u006de \\" }');
    const refused = common.replace('acme', '');
    const body = `[${common},${escaped},${refused},${common}]`;
    expect(scanned(body)).toBeDefined();
    expect(scanned(body)).toEqual(complete(body));
    expect(complete(body)).toMatchObject({ rejected: [{ index: 2 }] });
  });
});

describe('what it does not know', () => {
  it.each([
    '',
    ' ',
    '[]',
    'null',
    '{}',
    '{"events":[]}',
    '{"events":{}}',
    `{"\\u0065vents":[${common}]}`,
    `{"more":1,"events":[${common}]}`,
    `{"events":[${common}],"more":1}`,
    `{"events":[${common}]`,
    `[${common},]`,
    `[${common} ${common}]`,
    `${common}${common}`,
    `[${common}]x`,
    common.slice(0, -1),
    `[${'['.repeat(70)}${']'.repeat(70)}]`,
    `[${common.replace('120', `{"a":${'['.repeat(61)}${']'.repeat(61)}}`)}]`,
    `[${common.replace('120', `{"a":${'['.repeat(62)}${']'.repeat(62)}}`)}]`,
    `{"events":[${common.replace('120', `{"a":${'['.repeat(60)}${']'.repeat(60)}}`)}]}`,
    `\ufeff${common}`,
  ])('is answered as the complete decoder answers: %j', (text) => {
    expectSame(text);
  });

  it.each([
    '1.50',
    '-0',
    '0.0',
    '01',
    '1.',
    '.5',
    '1e3',
    '1E400',
    '123456789012345',
    '1234567890123456',
    '-12.5',
    'null',
    'tru',
    'falsey',
    '"a\\nb"',
    '"\u0001"',
    '{}',
    '[1]',
    '1 2',
  ])('a dimension written as %j', (text) => expectSame(common.replace('120', text)));

  it.each([
    '"2026-05-01"',
    '"2026-05-01T12:00Z"',
    '"2026-05-01T12:00:00+02:00"',
    '"2026-02-29T12:00:00Z"',
    '"2024-02-29T12:00:00.9999Z"',
    '"2026-05-01T24:00:00Z"',
    '"2026-05-01T12:00:60Z"',
    '"2026-05-01T12:00:00.Z"',
    '"2026-05-01T12:00:00.1x3Z"',
    '"2026-05-01T12:00:00.123x5Z"',
    '"2026-05-02T12:00:00.000Z"',
    '"2026-05-02T12:00:00.001Z"',
    '"1899-12-31T23:59:59.999Z"',
    '"1900-01-01T00:00:00.000Z"',
    '"2300-01-01T00:00:00.000Z"',
    '1777636799120',
    '1777636799120.5',
    '-1777636799120',
    '-0',
    '99999999999999999999',
    'null',
  ])('a timestamp written as %j', (text) => expectSame(common.replace('"2026-05-01T11:59:59.120Z"', text)));

  it.each([
    ['a key twice', common.replace('"eventName"', '"customerId":"other","eventName"')],
    ['a dimension twice', common.replace('"bytes"', '"region":"us","bytes"')],
    ['a dimension that is a number', common.replace('"region"', '"7"')],
    ['a dimension called __proto__', common.replace('"region"', '"__proto__"')],
    ['a dimension without a name', common.replace('"region"', '""')],
    ['an unknown field', common.replace('"eventName"', '"name":"x","eventName"')],
    ['a name of 255 letters', common.replace('acme', 'ä'.repeat(255))],
    ['a name of 256 letters', common.replace('acme', 'a'.repeat(256))],
    ['65 dimensions', withDimensions(65)],
    ['an event of 70,000 bytes', common.replace('"eu"', `"${'x'.repeat(70_000)}"`)],
    [
      'an event beyond a MiB',
      `[${common},${common.replace('"eu"', `"${'x'.repeat(factLimits.eventBytesMax)}"`)}]`,
    ],
  ])('%s', (_, text) => expectSame(text));

  it('bytes that are no UTF-8', () => {
    const body = Buffer.from(common);
    body[body.indexOf('acme')] = 0xff;
    expect(scanEventsBody(body, json, {}, receivedAt)).toBeUndefined();
  });

  it('10,001 events', () => {
    const small = '{"customerId":"c","eventName":"n","idempotencyKey":"k"}';
    expectSame(`[${Array(10_000).fill(small).join(',')}]`);
    expectSame(`[${Array(10_001).fill(small).join(',')}]`);
  });
});

describe('any body', () => {
  it('is answered the same either way', () => {
    const name = fc.oneof(
      fc.constantFrom('acme', 'k', '', 'größe', '7', 'a"b', '__proto__'),
      fc.string({ unit: 'binary', maxLength: 12 }),
    );
    const value = fc.oneof(
      fc.constantFrom<unknown>(true, false, null, 0, -0, 1e21, 0.1, 12, {}, [1]),
      name,
      fc.double(),
      fc.integer(),
    );
    const timestamp = fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.integer(),
      fc.constant(null),
    );
    const anEvent = fc.record(
      {
        customerId: name,
        eventName: name,
        idempotencyKey: name,
        resourceId: fc.option(name),
        timestamp,
        dimensions: fc.dictionary(name, value, { maxKeys: 6 }),
        more: fc.constant(1),
      },
      { requiredKeys: ['customerId', 'eventName', 'idempotencyKey'] },
    );
    fc.assert(
      fc.property(fc.array(anEvent, { maxLength: 4 }), fc.nat(3), fc.nat(2), (events, form, indent) => {
        const texts = events.map((one) => JSON.stringify(one, null, indent));
        if (form === 0) expectSame(texts.join('\n'), ndjson);
        else if (form === 1) expectSame(texts[0] ?? '');
        else expectSame(form === 2 ? `[${texts.join(',')}]` : `{"events":[${texts.join(' , ')}]}`);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is answered the same with a byte changed, put in or taken out', () => {
    const texts = [common, `[${common},${common}]`, `{"events":[${common}]}`, `${common}\n${common}`];
    const bytes = fc.constantFrom(...Buffer.from('{}[]",:\\ \n0123456789-.eEtruZaä\0'));
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), bytes, fc.nat(2), (text, place, byte, way) => {
        const body = [...Buffer.from(text)];
        body.splice(place % body.length, way === 2 ? 0 : 1, ...(way === 1 ? [] : [byte]));
        const type = text.includes('\n') ? ndjson : json;
        expectSame(Buffer.from(body), type);
      }),
      { numRuns: 5_000 },
    );
  });
});

const json = 'application/json';
const ndjson = 'application/x-ndjson';

interface Answer {
  readonly block: string;
  readonly rejected: readonly unknown[];
}

function expectSame(text: string | Buffer, contentType = json): void {
  const answer = scanned(text, contentType);
  if (answer !== undefined) expect(answer).toEqual(complete(text, contentType));
}

function scanned(text: string | Buffer, contentType = json): Answer | undefined {
  const answer = scanEventsBody(Buffer.from(text), contentType, {}, receivedAt);
  return answer && { block: finished(answer.events), rejected: answer.rejected };
}

function complete(text: string | Buffer, contentType = json): Answer | { readonly refusal: unknown } {
  const answer = decodeEventsBody(Buffer.from(text), contentType, {}, receivedAt);
  if ('refusal' in answer) return answer;
  const block = new EventBlockBuilder();
  for (const fact of answer.events) block.append(fact);
  return { block: finished(block), rejected: answer.rejected };
}

/** Also through the copy that joins the open batch, behind an event that is in it. */
function finished(block: EventBlockBuilder): string {
  if (block.count === 0) return '';
  const batch = new EventBlockBuilder();
  batch.append({ ...fact, customerId: 'before' });
  batch.appendAll(block);
  return batch.finish().toString('hex');
}

const fact = {
  customerId: '',
  resourceId: '',
  eventName: 'e',
  idempotencyKey: 'i',
  source: '',
  timestamp: receivedAt,
  receivedAt,
  dimensions: [['k', 't']] as const,
};

function withDimensions(count: number): string {
  const dimensions = Object.fromEntries(Array.from({ length: count }, (_, at) => [`d${at}`, at]));
  return JSON.stringify({ ...event, dimensions });
}
