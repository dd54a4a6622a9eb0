/** Seals what only an integration may read, so that no disk and no backup of Redis holds it in plain text. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** What a sealed text belongs to; it opens for nothing else. */
export interface SealedFor {
  readonly customerId: string;
  readonly id: string;
}

const saltBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * AES-256-GCM under a key of each letter's own, which HKDF derives from the installation's key and 32 random bytes:
 * so no key is ever used twice, however many letters there are, and erasing a letter erases what its key needs.
 */
export class LetterSeal {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  seal(content: string, letter: SealedFor): string {
    const salt = randomBytes(saltBytes);
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#keyFor(salt), nonce).setAAD(nameOf(letter));
    const sealed = Buffer.concat([cipher.update(content, 'utf8'), cipher.final()]);
    return Buffer.concat([salt, nonce, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** Undefined when it was sealed with another key, for another letter, or is damaged. */
  open(text: string, letter: SealedFor): string | undefined {
    const bytes = Buffer.from(text, 'base64');
    const [salt, nonce, tag, sealed] = partsOf(bytes);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#keyFor(salt), nonce, {
        authTagLength: tagBytes,
      });
      decipher.setAAD(nameOf(letter)).setAuthTag(tag);
      return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  #keyFor(salt: Buffer): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#secret, salt, 'tollgate sealed letter', 32));
  }
}

function partsOf(bytes: Buffer): readonly [Buffer, Buffer, Buffer, Buffer] {
  const nonceAt = saltBytes;
  const tagAt = nonceAt + nonceBytes;
  const sealedAt = tagAt + tagBytes;
  return [
    bytes.subarray(0, nonceAt),
    bytes.subarray(nonceAt, tagAt),
    bytes.subarray(tagAt, sealedAt),
    bytes.subarray(sealedAt),
  ];
}

function nameOf({ customerId, id }: SealedFor): Buffer {
  return Buffer.from(JSON.stringify([customerId, id]));
}
