/** What one event of the load tests looks like, and what the ten metered features count of it. */
import { oneOf, type Random, zipfRanks } from './seeded-random.ts';

export const customerCount = 10_000;

/** Of the customer at a rank; low ranks send most. */
export function customerName(rank: number): string {
  return `customer-${rank}`;
}

export const eventNames = [
  'api.request',
  'llm.completion',
  'storage.put',
  'storage.get',
  'page.view',
  'job.finished',
  'mail.sent',
  'search.query',
  'image.rendered',
  'export.made',
  'login',
  'webhook.delivered',
  'file.scanned',
  'sms.sent',
  'report.built',
  'invite.accepted',
  'backup.done',
  'call.minute',
  'device.seen',
  'seat.changed',
] as const;

export type Dimension = string | number | boolean;

export interface EventShape {
  readonly customer: number;
  readonly name: (typeof eventNames)[number];
  readonly resourceId: string | undefined;
  /** How long before it is sent it happened, if that is longer than a moment. */
  readonly lateMs: number | undefined;
  readonly dimensions: Readonly<Record<string, Dimension>>;
}

const lateShare = 0.01;
const oddShare = 0.01;
const resourceShare = 0.05;
/** From before any installation of a run was made; mostly hours, now and then weeks, at most three months. */
const lateMs = { min: 2 * 3_600_000, max: 90 * 86_400_000 } as const;

const regions = ['eu-west-1', 'eu-north-1', 'us-east-1', 'us-west-2', 'ap-south-1'] as const;
const models = ['small-1', 'small-2', 'medium-4', 'large-8', 'large-16'] as const;
/** Texts that a careless decoder reads wrongly; `JSON.stringify` escapes what has to be escaped. */
const oddTexts = ['Zürich', '東京 🚀', 'say "hi"', 'a\\b/c', 'line\nbreak\ttab', '\u0007 bell', 'é'] as const;

/** Drawn in this order: an event has the first four to twelve of them. */
const dimensions: readonly (readonly [name: string, draw: (random: Random) => Dimension])[] = [
  ['region', (random) => oneOf(regions, random)],
  ['tokens', (random) => Math.floor(random() ** 2 * 4_000)],
  ['model', (random) => oneOf(models, random)],
  ['status', (random) => (random() < 0.97 ? 200 : 500 + Math.floor(random() * 4))],
  ['cached', (random) => random() < 0.2],
  ['durationMs', (random) => Math.floor(1 + random() ** 4 * 30_000)],
  ['bytes', (random) => Math.floor(random() ** 3 * 5_000_000)],
  ['userId', (random) => `u${Math.floor(random() ** 2 * 5_000)}`],
  ['cost', (random) => Math.floor(random() * 100_000) / 100_000],
  ['path', (random) => `/v1/projects/${Math.floor(random() * 400)}/items`],
  ['client', (random) => `sdk-${1 + Math.floor(random() * 5)}.${Math.floor(random() * 20)}`],
  ['trace', (random) => Math.floor(random() * 2 ** 48).toString(36)],
];
export const dimensionCounts = { min: 4, max: dimensions.length } as const;

/** A source of events: few customers and few names make most of them, as in real life. */
export function eventShapes(random: Random): () => EventShape {
  const customer = zipfRanks(customerCount, random);
  const name = zipfRanks(eventNames.length, random);
  return () => {
    const { min, max } = dimensionCounts;
    const count = min + Math.floor(random() * (max - min + 1));
    const drawn = dimensions.slice(0, count).map(([key, draw]) => [key, draw(random)] as const);
    const odd = random() < oddShare ? [['note', oneOf(oddTexts, random)] as const] : [];
    // In place of the last one, so that their number stays within its bounds.
    const kept = odd.length > 0 && count === max ? drawn.slice(0, -1) : drawn;
    return {
      customer: customer(),
      name: eventNames[name()] as EventShape['name'],
      resourceId: random() < resourceShare ? `workspace-${Math.floor(random() * 50)}` : undefined,
      lateMs:
        random() < lateShare ? Math.floor(lateMs.min + random() ** 6 * (lateMs.max - lateMs.min)) : undefined,
      dimensions: Object.fromEntries([...kept, ...odd]),
    };
  };
}
