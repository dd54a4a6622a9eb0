/** Request bodies with fresh idempotency keys at almost no cost, and what they must add up to. */
const customers = 10_000;
const keyDigits = 16;
const keyMark = '"idempotencyKey":"';

export interface EventBody {
  readonly bytes: Buffer;
  /** Events of each customer in it. */
  readonly customerEvents: ReadonlyMap<string, number>;
}

/** A seeded generator (mulberry32), so that a run can be repeated. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Bodies of `events` events each, of about 240 bytes an event; few customers send much, as in real life. */
export class EventBodies {
  readonly #templates: { readonly body: EventBody; readonly keyPlaces: readonly number[] }[];
  readonly #run: string;
  #next = 0;
  #key = 0;

  constructor(events: number, seed: number, now: number) {
    const random = seededRandom(seed);
    this.#run = Math.floor(random() * 0xffff)
      .toString(16)
      .padStart(4, '0');
    this.#templates = Array.from({ length: Math.max(8, Math.ceil(2_000 / events)) }, () => {
      const list = Array.from({ length: events }, () => makeEvent(random, now));
      const bytes = Buffer.from(JSON.stringify({ events: list }));
      const customerEvents = new Map<string, number>();
      for (const { customerId } of list)
        customerEvents.set(customerId, (customerEvents.get(customerId) ?? 0) + 1);
      return { body: { bytes, customerEvents }, keyPlaces: places(bytes) };
    });
  }

  /** The next body with keys that were never sent before; its bytes are a copy of their own. */
  take(): EventBody {
    const template = this.#templates[this.#next++ % this.#templates.length];
    if (template === undefined) throw new Error('there are no templates');
    const bytes = Buffer.from(template.body.bytes);
    for (const place of template.keyPlaces) {
      bytes.write(this.#run + (this.#key++).toString(16).padStart(keyDigits - 4, '0'), place, 'latin1');
    }
    return { bytes, customerEvents: template.body.customerEvents };
  }
}

function makeEvent(random: () => number, now: number) {
  const customer = Math.floor(random() ** 3 * customers);
  return {
    customerId: `customer-${customer}`,
    eventName: `event-${Math.floor(random() * 20)}`,
    idempotencyKey: '0'.repeat(keyDigits),
    timestamp: new Date(now - Math.floor(random() * 600_000)).toISOString(),
    dimensions: {
      region: ['eu-west', 'eu-north', 'us-east', 'us-west'][Math.floor(random() * 4)],
      model: `model-${Math.floor(random() * 12)}`,
      tokens: Math.floor(random() * 4_000),
      cached: random() < 0.2,
    },
  };
}

function places(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(keyMark); at >= 0; at = bytes.indexOf(keyMark, at + 1))
    found.push(at + keyMark.length);
  return found;
}
