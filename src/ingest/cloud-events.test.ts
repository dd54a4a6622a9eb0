import { OpenMeter } from '@openmeter/sdk';
import { CloudEvent, HTTP } from 'cloudevents';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventFact } from '../metering/facts.ts';
import { readCloudEventHeaders } from './cloud-events.ts';
import { decodeEventsBody } from './decode-events.ts';

const receivedAt = Date.UTC(2026, 4, 1, 12);
const structured = 'application/cloudevents+json';
const batch = 'application/cloudevents-batch+json';

const attributes = {
  specversion: '1.0',
  id: 'k1',
  source: '/billing',
  type: 'api_call',
  subject: 'acme',
  time: '2026-04-30T10:00:00.123Z',
};

const fact: EventFact = {
  customerId: 'acme',
  resourceId: '',
  eventName: 'api_call',
  idempotencyKey: 'k1',
  source: '/billing',
  timestamp: Date.UTC(2026, 3, 30, 10, 0, 0, 123),
  receivedAt,
  dimensions: [
    ['tokens', '12'],
    ['model', 'large'],
  ],
};

const data = { tokens: 12, model: 'large' };

describe('the JSON format', () => {
  it('takes one event', () => {
    expect(decode({ ...attributes, data }, structured)).toEqual({ events: [fact], rejected: [] });
  });

  it('takes a batch, and each event of it by itself', () => {
    const decoded = decode(
      [{ ...attributes, data }, { ...attributes, subject: undefined }, attributes, 5],
      batch,
    );
    expect(decoded).toEqual({
      events: [fact, { ...fact, dimensions: [] }],
      rejected: [
        {
          index: 1,
          code: 'VALIDATION_ERROR',
          message: 'events[1].subject is missing; a string of 1 to 255 characters is required',
        },
        { index: 3, code: 'VALIDATION_ERROR', message: 'events[3] is 5; a CloudEvents object is required' },
      ],
    });
  });

  it('ignores extension attributes, save resourceid', () => {
    const extended = {
      ...attributes,
      data,
      resourceid: 'site-1',
      traceparent: '00-1',
      dataschema: 'x',
      other: null,
    };
    expect(decode(extended, structured)).toEqual({
      events: [{ ...fact, resourceId: 'site-1' }],
      rejected: [],
    });
  });

  it('takes null for absent', () => {
    const nulls = { time: null, data: null, data_base64: null, resourceid: null };
    expect(decode({ ...attributes, ...nulls }, structured)).toEqual({
      events: [{ ...fact, timestamp: receivedAt, dimensions: [] }],
      rejected: [],
    });
  });

  it.each([
    [{ specversion: '0.3' }, 'events[0].specversion is "0.3"; allowed is "1.0"'],
    [{ specversion: undefined }, 'events[0].specversion is missing; allowed is "1.0"'],
    [{ id: '' }, 'events[0].id is ""; a string of 1 to 255 characters is required'],
    [{ source: undefined }, 'events[0].source is missing; a string of 1 to 255 characters is required'],
    [{ type: 5 }, 'events[0].type is 5; a string of 1 to 255 characters is required'],
    [{ resourceid: '' }, 'events[0].resourceid is ""; a string of 1 to 255 characters is required'],
    [{ data: 'text' }, 'events[0].data is "text"; an object of strings, numbers and booleans is required'],
    [{ data: { a: null } }, 'events[0].data["a"] is null; a string, number or boolean is required'],
    [
      { data_base64: 'aGk=' },
      'events[0].data_base64 is given; dimensions are taken from data, a JSON object',
    ],
  ])('rejects %j', (change, message) => {
    expect(decode({ ...attributes, ...change }, structured)).toEqual({
      events: [],
      rejected: [{ index: 0, code: 'VALIDATION_ERROR', message }],
    });
  });

  it('checks the time', () => {
    expect(decode({ ...attributes, time: '2026-04-31T00:00:00Z' }, structured)).toMatchObject({
      rejected: [{ code: 'VALIDATION_ERROR', message: expect.stringMatching(/^events\[0\]\.time is/) }],
    });
    expect(decode({ ...attributes, time: '2026-05-03T00:00:00Z' }, structured)).toMatchObject({
      rejected: [{ code: 'TIMESTAMP_IN_FUTURE' }],
    });
  });

  it('refuses a batch that is none', () => {
    expect(decode({ ...attributes, data }, batch)).toMatchObject({ refusal: { code: 'VALIDATION_ERROR' } });
    expect(decode([], batch)).toMatchObject({ refusal: { code: 'VALIDATION_ERROR' } });
    expect(decode([attributes], structured)).toMatchObject({
      rejected: [{ message: 'events[0] is an array; a CloudEvents object is required' }],
    });
  });
});

describe('binary mode', () => {
  it('takes attributes from headers and dimensions from the body', () => {
    const decoded = decodeBinary({ ...attributes, resourceid: 'site-1' }, JSON.stringify(data));
    expect(decoded).toEqual({ events: [{ ...fact, resourceId: 'site-1' }], rejected: [] });
  });

  it.each(['', 'application/json; charset=utf-8', 'application/vnd.acme+json'])(
    'takes data of type %j',
    (type) => {
      expect(decodeBinary(attributes, JSON.stringify(data), type)).toMatchObject({ events: [fact] });
    },
  );

  it.each(['text/plain', 'application/x-ndjson', 'application/octet-stream'])(
    'refuses data of type %j',
    (type) => {
      expect(decodeBinary(attributes, JSON.stringify(data), type)).toMatchObject({
        refusal: { code: 'UNSUPPORTED_MEDIA_TYPE' },
      });
    },
  );

  it('takes an empty body for no data, of whatever type', () => {
    expect(decodeBinary(attributes, '', 'text/plain')).toMatchObject({
      events: [{ ...fact, dimensions: [] }],
    });
  });

  it('refuses a malformed body, and rejects one that is no object', () => {
    expect(decodeBinary(attributes, '{')).toMatchObject({ refusal: { code: 'MALFORMED_JSON' } });
    expect(decodeBinary(attributes, '[1]')).toMatchObject({
      rejected: [{ message: expect.stringContaining('events[0].data is an array') }],
    });
  });

  it.each([
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['%e2%82%ac', '€'],
    ['%41cme', 'Acme'],
    ['50%25', '50%'],
    ['"quoted \\"name\\" %25"', 'quoted "name" %'],
    ['plain+text', 'plain+text'],
    ['%2541', '%41'],
  ])('decodes the header %s', (header, text) => {
    expect(decodeBinary({ ...attributes, subject: header })).toMatchObject({
      events: [{ customerId: text }],
    });
  });

  it.each(['%C0%A0', '%ED%A0%80', '%FF', '100%', '%4', '%zz'])('rejects the header %s', (header) => {
    expect(decodeBinary({ ...attributes, subject: header })).toEqual({
      events: [],
      rejected: [
        {
          index: 0,
          code: 'VALIDATION_ERROR',
          message: `events[0].subject is "${header}"; a header's value is percent-encoded UTF-8, in which % is %25`,
        },
      ],
    });
  });

  it.each(['specversion', 'id', 'source', 'type', 'subject'])('tells that ce-%s is missing', (name) => {
    expect(decodeBinary({ ...attributes, [name]: '' })).toMatchObject({
      rejected: [{ message: expect.stringContaining(`events[0].${name} is missing`) }],
    });
  });

  it('reads any text that was encoded as the specification says', () => {
    const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 255 });
    fc.assert(
      fc.property(id, (subject) => {
        const encoded = encodeURIComponent(subject);
        expect(decodeBinary({ ...attributes, subject: encoded })).toMatchObject({
          events: [{ customerId: subject }],
        });
      }),
    );
  });
});

describe('what clients send', () => {
  const sent = new CloudEvent({ ...attributes, data });

  it('reads structured messages of the CloudEvents SDK', () => {
    const { headers, body } = HTTP.structured(sent);
    expect(receive(headers, body as string)).toEqual({ events: [fact], rejected: [] });
  });

  it('reads binary messages of the CloudEvents SDK', () => {
    const { headers, body } = HTTP.binary(sent.cloneWith({ resourceid: 'site-1' }));
    expect(receive(headers, body as string)).toEqual({
      events: [{ ...fact, resourceId: 'site-1' }],
      rejected: [],
    });
  });

  it('reads what the OpenMeter SDK ingests', async () => {
    const requests: Request[] = [];
    const client = new OpenMeter({
      baseUrl: 'http://tollgate.invalid',
      fetch: (request: Request) => {
        requests.push(request);
        return Promise.resolve(new Response(null, { status: 204 }));
      },
    });
    await client.events.ingest([
      {
        id: 'k1',
        source: '/billing',
        type: 'api_call',
        subject: 'acme',
        time: new Date(fact.timestamp),
        data,
      },
      { type: 'api_call', subject: 'acme' },
    ]);
    const [request] = requests;
    if (request === undefined) throw new Error('the client sent nothing');
    const decoded = decodeEventsBody(
      new Uint8Array(await request.arrayBuffer()),
      request.headers.get('content-type') ?? '',
      {},
      Date.now(),
    );
    expect(decoded).toMatchObject({
      events: [
        { ...fact, receivedAt: expect.any(Number) },
        { customerId: 'acme', source: '@openmeter/sdk', idempotencyKey: expect.any(String), dimensions: [] },
      ],
      rejected: [],
    });
  });
});

type Decoded = ReturnType<typeof decodeEventsBody>;

function decode(value: unknown, contentType: string): Decoded {
  return decodeEventsBody(Buffer.from(JSON.stringify(value)), contentType, {}, receivedAt);
}

function decodeBinary(
  headers: Readonly<Record<string, string>>,
  body = '',
  contentType = 'application/json',
): Decoded {
  const given = readCloudEventHeaders((name) => headers[name.replace('ce-', '')] ?? '');
  return decodeEventsBody(Buffer.from(body), contentType, given, receivedAt);
}

/** A message as a server gets it: header names in lower case. */
function receive(headers: Readonly<Record<string, unknown>>, body: string): Decoded {
  const byName = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const given = readCloudEventHeaders((name) => byName.get(name) ?? '');
  return decodeEventsBody(Buffer.from(body), byName.get('content-type') ?? '', given, receivedAt);
}
