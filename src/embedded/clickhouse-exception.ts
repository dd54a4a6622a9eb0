/** Errors as a ClickHouse server words them, with the HTTP status that it answers them with. */

/** Thrown for everything that a caller of the HTTP interface is told. */
export class ClickhouseException extends Error {
  override readonly name = 'ClickhouseException';
  readonly code: number;
  /** The server's name of the code, such as SYNTAX_ERROR. */
  readonly type: string;

  constructor(code: number, type: string, message: string) {
    super(message);
    this.code = code;
    this.type = type;
  }
}

/** From ErrorCodes.cpp: those that the HTTP layer raises itself. */
export const raised = {
  notImplemented: (message: string) => new ClickhouseException(48, 'NOT_IMPLEMENTED', message),
  syntaxError: (message: string) => new ClickhouseException(62, 'SYNTAX_ERROR', message),
  unknownSetting: (message: string) => new ClickhouseException(115, 'UNKNOWN_SETTING', message),
  badArguments: (message: string) => new ClickhouseException(36, 'BAD_ARGUMENTS', message),
  incorrectData: (message: string) => new ClickhouseException(117, 'INCORRECT_DATA', message),
  tooManyQueries: (message: string) => new ClickhouseException(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', message),
  tooLarge: (message: string) => new ClickhouseException(307, 'TOO_MANY_BYTES', message),
  notEnoughSpace: (message: string) => new ClickhouseException(243, 'NOT_ENOUGH_SPACE', message),
  authenticationFailed: (message: string) => new ClickhouseException(516, 'AUTHENTICATION_FAILED', message),
  aborted: (message: string) => new ClickhouseException(236, 'ABORTED', message),
};

/**
 * The engine wraps what went wrong, sometimes several times: `Code: N. DB::Exception: Code: N. DB::Exception: text.
 * (NAME) (version V). (NAME)`. A server sends the innermost once, and so do we.
 */
export function engineException(error: unknown): ClickhouseException {
  if (error instanceof ClickhouseException) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = /^Code: (\d+)\. DB::Exception: /.exec(text)?.[1];
  const type = /\(([A-Z][A-Z0-9_]{2,})\)\s*$/.exec(text)?.[1];
  if (code === undefined || type === undefined) return new ClickhouseException(1001, 'STD_EXCEPTION', text);
  let message = text.replace(/(?: ?\([A-Z][A-Z0-9_]{2,}\)(?: \(version [^()]*\))?\.?\s*)+$/, '');
  while (message.startsWith(`Code: ${code}. DB::Exception: `)) {
    message = message.slice(`Code: ${code}. DB::Exception: `.length);
  }
  return new ClickhouseException(Number(code), type, message.replace(spoolNotes, ''));
}

/** A server's caller sent data and knows of no file. */
const spoolNotes = /: \(in file\/uri [^)]*\)|: data for INSERT was parsed from file/g;

/** The body of an error answer; a line break ends it, as the server does. */
export function exceptionText(exception: ClickhouseException, engineVersion: string): string {
  const { code, type, message } = exception;
  return `Code: ${code}. DB::Exception: ${message} (${type}) (version ${engineVersion})\n`;
}

/** The mapping of the server's exceptionCodeToHTTPStatus.cpp, for the codes that can occur here. */
export function httpStatus(exception: ClickhouseException): number {
  return statusOfCode.get(exception.code) ?? 500;
}

const statusOfCode = new Map<number, number>([
  ...[6, 16, 25, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 223, 321, 376, 427, 441].map(
    (code) => [code, 400] as const,
  ),
  ...[10, 15, 167, 168].map((code) => [code, 400] as const),
  ...[46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 277, 336, 511].map((code) => [code, 404] as const),
  ...[192, 193, 497, 512, 516].map((code) => [code, 403] as const),
  [307, 413],
  [48, 501],
  [76, 503],
  [209, 503],
  [439, 503],
  [159, 408],
  // Ours: a full queue or spool is worth another attempt, which 503 says and the server's 500 does not.
  [202, 503],
  [243, 503],
]);
