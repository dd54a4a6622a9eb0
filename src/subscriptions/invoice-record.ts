/** Invoices as records: kind `invoice`, key the id. */
import type { RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import type { CollectedInvoice } from './collected-invoice.ts';

export function invoiceRef(id: string): RecordRef {
  return { kind: 'invoice', key: id };
}

export function collectedInvoiceOf(record: StoredRecord | undefined): CollectedInvoice | undefined {
  return record?.body as CollectedInvoice | undefined;
}

/** The index of the invoices that the provider is to be asked about, by when. */
export const askIndex = 'ask';

export function invoiceWrite(invoice: CollectedInvoice, expectedVersion: number): RecordWrite {
  const { id, askAt } = invoice;
  const indexes = askAt === null ? [] : [{ name: askIndex, score: askAt }];
  return { ...invoiceRef(id), expectedVersion, body: invoice, indexes };
}
