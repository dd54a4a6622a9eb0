/** Bodies for one axis of growth: everything but what grows stays as it is. */
import { seededRandom } from './seeded-random.ts';

export interface BodyShape {
  readonly eventsPerBody: number;
  readonly customers: number;
  readonly dimensions: number;
  /** Streams never have a key in common. */
  readonly stream: number;
}

const templates = 20;
const names = 20;
const keyDigits = 16;
const customerDigits = 7;
const marks = { key: '"idempotencyKey":"', customer: '"customerId":"customer-' } as const;

interface Template {
  readonly bytes: Buffer;
  readonly keys: readonly number[];
  readonly customers: readonly number[];
}

/** Customers are drawn evenly, so that ten times as many are met ten times as many; keys are never the same. */
export class GrowthBodies {
  readonly #templates: readonly Template[];
  readonly #random = seededRandom(4_711);
  readonly #customers: number;
  #taken = 0;
  #key = 0;

  constructor(shape: BodyShape) {
    this.#customers = shape.customers;
    this.#key = shape.stream * 2 ** 40;
    this.#templates = Array.from({ length: templates }, () => makeTemplate(shape, this.#random));
  }

  take(): Buffer {
    const template = this.#templates[this.#taken++ % templates];
    if (template === undefined) throw new Error('there are no templates');
    const bytes = Buffer.from(template.bytes);
    for (const place of template.keys) {
      bytes.write((this.#key++).toString(16).padStart(keyDigits, '0'), place, 'latin1');
    }
    for (const place of template.customers) {
      const customer = Math.floor(this.#random() * this.#customers);
      bytes.write(String(customer).padStart(customerDigits, '0'), place, 'latin1');
    }
    return bytes;
  }
}

export function growthCustomer(number: number): string {
  return `customer-${String(number).padStart(customerDigits, '0')}`;
}

export function growthEventName(number: number): string {
  return `event-${number}`;
}

/** A field that every event has, and whose value is a number. */
export const numberField = 'field-1';

function makeTemplate({ eventsPerBody, dimensions }: BodyShape, random: () => number): Template {
  const events = Array.from({ length: eventsPerBody }, () => ({
    customerId: growthCustomer(0),
    eventName: growthEventName(Math.floor(random() * names)),
    idempotencyKey: '0'.repeat(keyDigits),
    dimensions: Object.fromEntries(
      Array.from({ length: dimensions }, (_, field) => [
        `field-${field}`,
        field % 2 === 0 ? `value-${Math.floor(random() * 1_000)}` : Math.floor(random() * 10_000),
      ]),
    ),
  }));
  const bytes = Buffer.from(JSON.stringify({ events }));
  return { bytes, keys: placesBehind(bytes, marks.key), customers: placesBehind(bytes, marks.customer) };
}

function placesBehind(bytes: Buffer, mark: string): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) found.push(at + mark.length);
  return found;
}
