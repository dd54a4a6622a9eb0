/** A client that decides itself how its bytes are cut, paused and broken off, which fetch does not allow. */
import { connect, type Socket } from 'node:net';

export interface RawResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export class RawClient {
  readonly socket: Socket;
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
  #received = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  #gone = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#gone = true;
        this.#wake?.();
        resolve();
      });
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket);
  }

  /** Each piece is on its way, and read by a server in this process, before the next one is sent. */
  async send(...pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      await new Promise((resolve) => this.socket.write(piece, resolve));
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The next answer with a Content-Length; rejects when the connection ends before it is complete. */
  async response(): Promise<RawResponse> {
    for (;;) {
      const response = this.#take();
      if (response !== undefined) return response;
      if (this.#gone)
        throw new Error(`the connection ended after ${this.#received.length} bytes of an answer`);
      await this.#more();
    }
  }

  /** Waits until so much text has come, and returns all that has. */
  async text(until: string): Promise<string> {
    while (!this.#gone && !this.#received.includes(until)) await this.#more();
    return this.#received.toString();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(): RawResponse | undefined {
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd === -1) return undefined;
    const [statusLine = '', ...lines] = this.#received.subarray(0, headEnd).toString().split('\r\n');
    const headers = new Map(lines.map((line) => splitHeader(line)));
    const bodyEnd = headEnd + 4 + Number(headers.get('content-length') ?? 0);
    if (this.#received.length < bodyEnd) return undefined;
    const body = this.#received.subarray(headEnd + 4, bodyEnd).toString();
    this.#received = this.#received.subarray(bodyEnd);
    return { status: Number(statusLine.split(' ')[1]), headers, body };
  }
}

/** A request's head; `headers` are lines without their ends. */
export function headOf(method: string, path: string, ...headers: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');
}

/** One chunk of a chunked body. */
export function chunkOf(piece: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
}

export const lastChunk = '0\r\n\r\n';

export interface Gate<Value> {
  readonly passed: Promise<Value>;
  open(value: Value): void;
}

/** A promise that the test settles, so that it decides when something goes on. */
export function makeGate<Value = void>(): Gate<Value> {
  let settle: ((value: Value) => void) | undefined;
  const passed = new Promise<Value>((resolve) => {
    settle = resolve;
  });
  return { passed, open: (value) => settle?.(value) };
}

/** Resolves as soon as the condition holds; rejects after five seconds. */
export async function eventually(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
