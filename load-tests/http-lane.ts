/**
 * One keep-alive connection that has one request on its way at a time. A client made for load: what a request costs
 * the sender must not hide what it costs the server (README.md has its figures beside others').
 */
import { connect, type Socket } from 'node:net';

/** Whom requests are for. */
export interface LoadTarget {
  readonly port: number;
  readonly path: string;
  readonly apiKey: string;
}

/** 0: the connection ended, or never was. */
export type Status = number;

/** Larger than most answers; those that are larger are put together from parts. */
const receiveBytes = 16_384;
const headEnd = Buffer.from('\r\n\r\n');
const noAnswer = Buffer.alloc(0);

export class HttpLane {
  readonly #port: number;
  readonly #socket: Socket;
  /** Of an answer that came in parts. */
  #parts: Buffer = noAnswer;
  #answered: ((status: Status, body: Buffer) => void) | undefined;
  #ended = false;

  private constructor(port: number, onOpen: (problem?: Error) => void) {
    this.#port = port;
    const onread = {
      buffer: Buffer.allocUnsafe(receiveBytes),
      callback: (length: number, buffer: Uint8Array): boolean => {
        this.#read(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        return true;
      },
    };
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    this.#socket.once('connect', () => onOpen());
    this.#socket.once('error', onOpen);
    this.#socket.once('close', () => {
      this.#ended = true;
      this.#answer(0, noAnswer);
    });
  }

  static open(port: number): Promise<HttpLane> {
    return new Promise((resolve, reject) => {
      const lane: HttpLane = new HttpLane(port, (problem) => {
        if (problem === undefined) resolve(lane);
        else reject(problem);
      });
    });
  }

  /** False once the other side has closed it; a lane in its place is `again`. */
  get usable(): boolean {
    return !this.#ended;
  }

  again(): Promise<HttpLane> {
    return HttpLane.open(this.#port);
  }

  /** The body of the answer is good until the next answer; status 0 when the connection ends instead. */
  request(head: string, body: Buffer | undefined, answered: (status: Status, body: Buffer) => void): void {
    this.#answered = answered;
    if (this.#ended) {
      queueMicrotask(() => this.#answer(0, noAnswer));
      return;
    }
    if (body === undefined) {
      this.#socket.write(head, 'latin1');
      return;
    }
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    this.#socket.write(body);
    this.#socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    const received = this.#parts.length === 0 ? bytes : Buffer.concat([this.#parts, bytes]);
    const end = received.indexOf(headEnd);
    if (end >= 0) {
      const from = end + headEnd.length;
      const to = from + contentLength(received.toString('latin1', 0, end));
      if (received.length >= to) {
        this.#parts = noAnswer;
        this.#answer(Number(received.toString('latin1', 9, 12)), received.subarray(from, to));
        return;
      }
    }
    // The buffer is filled again with what comes next.
    this.#parts = received === bytes ? Buffer.from(bytes) : received;
  }

  #answer(status: Status, body: Buffer): void {
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(status, body);
  }
}

/** One request of a probe: JSON there and back. */
export function exchange(
  lane: HttpLane,
  target: LoadTarget,
  body: unknown,
): Promise<{ readonly status: number; readonly answer: string }> {
  const bytes = Buffer.from(JSON.stringify(body));
  return new Promise((resolve) => {
    lane.request(postHead(target, bytes.length), bytes, (status, answer) =>
      resolve({ status, answer: answer.toString() }),
    );
  });
}

/** Of a POST of JSON to the target's path, with a body of so many bytes. */
export function postHead(target: LoadTarget, bytes: number): string {
  return `POST ${target.path} HTTP/1.1\r\n${commonHead(target)}Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
}

export function getHead(target: LoadTarget, path: string): string {
  return `GET ${path} HTTP/1.1\r\n${commonHead(target)}\r\n`;
}

function commonHead({ apiKey }: LoadTarget): string {
  return `Host: 127.0.0.1\r\nX-API-KEY: ${apiKey}\r\n`;
}

/** Servers under test answer with a length, never in chunks. */
function contentLength(head: string): number {
  const at = head.indexOf('Content-Length: ');
  const from = at >= 0 ? at + 16 : head.toLowerCase().indexOf('content-length: ') + 16;
  return from < 16 ? 0 : Number.parseInt(head.slice(from, from + 12), 10);
}
