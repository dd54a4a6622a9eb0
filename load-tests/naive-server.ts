/**
 * The edge of a naive design: a common framework with its own validation, and one BullMQ job for each event. Sends
 * its port once it listens.
 */
import { Queue } from 'bullmq';
import fastify from 'fastify';
import { Redis } from 'ioredis';
import { type NaiveDesign, type NaiveEvent, naiveQueue } from './naive-event.ts';

const [design, redisUrl = ''] = process.argv.slice(2) as [NaiveDesign, string?];
const queue = new Queue<NaiveEvent>(naiveQueue, {
  connection: new Redis(redisUrl, { maxRetriesPerRequest: null }),
});

const text = { type: 'string', minLength: 1, maxLength: 255 };
const body = {
  type: 'object',
  required: ['events'],
  properties: {
    events: {
      type: 'array',
      items: {
        type: 'object',
        required: ['customerId', 'eventName', 'idempotencyKey', 'timestamp'],
        properties: {
          customerId: text,
          eventName: text,
          idempotencyKey: text,
          timestamp: { type: 'string' },
          dimensions: { type: 'object' },
        },
      },
    },
  },
};

const server = fastify({ bodyLimit: 16 * 1_048_576 });
server.post<{ Body: { events: NaiveEvent[] } }>(
  '/api/v1/events',
  { schema: { body } },
  async (request, reply) => {
    const { events } = request.body;
    if (design === 'jobPerEvent') await queue.addBulk(events.map((data) => ({ name: 'event', data })));
    else await Promise.all(events.map((data) => queue.add('event', data)));
    return reply.code(202).send({ data: { accepted: events.length, rejected: [] } });
  },
);
const url = await server.listen({ host: '127.0.0.1', port: 0 });
process.send?.(Number(new URL(url).port));
process.once('disconnect', () => process.exit());
