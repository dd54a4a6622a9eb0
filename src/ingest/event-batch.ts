import { EventBlockBuilder } from '../metering/event-block.ts';
import type { EventCall } from '../metering/intake.ts';
import type { BatchBuilder } from './group-commit.ts';

/** The open batch of events: the columns that calls are copied into. */
export class EventBatch implements BatchBuilder<EventCall> {
  readonly #block = new EventBlockBuilder();

  get count(): number {
    return this.#block.count;
  }

  get byteSize(): number {
    return this.#block.byteSize;
  }

  append(call: EventCall): void {
    if (call instanceof EventBlockBuilder) this.#block.appendAll(call);
    else for (const fact of call) this.#block.append(fact);
  }

  finish(): Buffer {
    return this.#block.finish();
  }
}
