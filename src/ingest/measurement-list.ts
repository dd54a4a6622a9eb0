import type { MeasurementFact } from '../metering/facts.ts';
import { encodeUsagePayload } from '../metering/usage-payload.ts';

/** What a measurement takes besides its texts: names, amount and instants. */
const measurementBytes = 256;

/** The open batch of measurements, as `EventBlockBuilder` is that of events. */
export class MeasurementList {
  #facts: MeasurementFact[] = [];
  #byteSize = 0;

  get count(): number {
    return this.#facts.length;
  }

  /** About what `finish` would return now. */
  get byteSize(): number {
    return this.#byteSize;
  }

  append(facts: readonly MeasurementFact[]): void {
    for (const fact of facts) {
      this.#facts.push(fact);
      this.#byteSize += measurementBytes + fact.customerId.length + fact.resourceId.length;
      for (const [key, text] of fact.dimensions) this.#byteSize += key.length + text.length + 8;
    }
  }

  finish(): Buffer {
    const payload = encodeUsagePayload(this.#facts);
    this.#facts = [];
    this.#byteSize = 0;
    return payload;
  }
}
