/**
 * Finds its way in one statement without understanding it: what kind it is, which format it names, and where in an
 * INSERT the data begin. Data are never looked at: reading stops in front of them.
 */
import { raised } from './clickhouse-exception.ts';

export interface Statement {
  /** `select` can be streamed; `insert` reports rows written; everything else is answered whole. */
  readonly kind: 'select' | 'insert' | 'other';
  /** The SQL without its data and without a closing semicolon. */
  readonly sql: string;
  /** What its FORMAT clause names. */
  readonly format: string | undefined;
  /** Present when data follow the statement. */
  readonly data: StatementData | undefined;
}

export interface StatementData {
  readonly format: string;
  /** Where the data begin in the bytes given to `parseStatement`. */
  readonly offset: number;
  /** The statement reading its data from a file. The path is quoted here. */
  readFrom(path: string): string;
}

/**
 * `head` is the request from its first byte, at least `max_query_size` of it or all. The rules where data begin are
 * those of the server's ParserInsertQuery: after FORMAT and a name, blanks and at most one line break; after VALUES,
 * at once. Throws ClickhouseException.
 */
export function parseStatement(head: Buffer): Statement {
  // One character per byte, so that positions in the text are positions in the bytes.
  const text = head.toString('latin1');
  const tokens = tokensOf(text);
  const first = nextOf(tokens);
  if (first === undefined) throw raised.syntaxError('Empty query');
  if (isWord(first, 'INSERT')) return parseInsert(text, tokens);
  let last = first;
  let format: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'semicolon') return { ...plain(text, last.end, tokens), kind: kindOf(first), format };
    rejectFileClause(last, token);
    if (token.depth === 0 && isFormatClause(last, token)) format = token.text;
    last = token;
  }
  return { kind: kindOf(first), sql: sqlOf(text, 0, last.end), format, data: undefined };
}

/**
 * The INSERT whose data begin within `head`, or undefined. A client mostly puts the statement into the URL, and then
 * the body need not be gathered to look for its end.
 */
export function parseInsertHead(head: Buffer): Statement | undefined {
  const text = head.toString('latin1');
  const tokens = tokensOf(text);
  if (!isWord(nextOf(tokens), 'INSERT')) return undefined;
  const insert = new InsertReader(text);
  for (const token of tokens) {
    if (token.kind === 'semicolon') return undefined;
    const data = insert.read(token);
    if (data !== undefined) return insertOf(text, insert, data);
  }
  return undefined;
}

interface Token {
  readonly kind: 'word' | 'string' | 'identifier' | 'semicolon' | 'symbol';
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** How many brackets are open around it. */
  readonly depth: number;
}

type Tokens = Generator<Token, undefined>;

function nextOf(tokens: Tokens): Token | undefined {
  const { value, done } = tokens.next();
  return done === true ? undefined : value;
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word;
}

function kindOf(first: Token): 'select' | 'other' {
  return first.text === '(' || isWord(first, 'SELECT') || isWord(first, 'WITH') ? 'select' : 'other';
}

/** A word that makes `format` before it a column's name and not the clause. */
const wordsAfterColumn = new Set(
  'FROM AS AND OR XOR NOT IN IS LIKE ILIKE BETWEEN WHERE PREWHERE GROUP ORDER HAVING LIMIT UNION ASC DESC'.split(
    ' ',
  ),
);

function isFormatClause(previous: Token, name: Token): boolean {
  return isWord(previous, 'FORMAT') && name.kind === 'word' && !wordsAfterColumn.has(name.text.toUpperCase());
}

/** A server refuses both: files belong to the side of the client. Here they would be files of this process. */
function rejectFileClause(previous: Token, token: Token): void {
  if (isWord(previous, 'FROM') && isWord(token, 'INFILE'))
    throw raised.notImplemented('FROM INFILE is not allowed');
  if (isWord(previous, 'INTO') && isWord(token, 'OUTFILE'))
    throw raised.notImplemented('INTO OUTFILE is not allowed');
}

function sqlOf(text: string, start: number, end: number): string {
  return Buffer.from(text.slice(start, end), 'latin1').toString('utf8');
}

/** What follows the semicolon may be more semicolons and comments, as on a server, and nothing else. */
function plain(text: string, end: number, rest: Tokens): Pick<Statement, 'sql' | 'data'> {
  for (const token of rest) {
    if (token.kind !== 'semicolon')
      throw raised.syntaxError('Syntax error (Multi-statements are not allowed)');
  }
  return { sql: sqlOf(text, 0, end), data: undefined };
}

function parseInsert(text: string, tokens: Tokens): Statement {
  const insert = new InsertReader(text);
  for (const token of tokens) {
    if (token.kind === 'semicolon') {
      return { ...plain(text, insert.end, tokens), kind: 'insert', format: undefined };
    }
    const data = insert.read(token);
    if (data !== undefined) return insertOf(text, insert, data);
  }
  if (insert.input !== undefined) {
    throw raised.badArguments('FORMAT must be specified for function input() when the query has no data');
  }
  return insertOf(text, insert, undefined);
}

function insertOf(text: string, insert: InsertReader, data: StatementData | undefined): Statement {
  return { kind: 'insert', sql: sqlOf(text, 0, insert.end), format: undefined, data };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Takes an INSERT's tokens one by one until data begin. */
class InsertReader {
  readonly #text: string;
  #last: Token | undefined;
  /** The token before the last one: a table may be called `format`. */
  #beforeLast: Token | undefined;
  #selects = false;
  #settingsStart: number | undefined;
  #inputStart: number | undefined;
  #structure: string | undefined;
  input: Span | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the statement ends, as far as it was read. */
  get end(): number {
    return this.#last?.end ?? 0;
  }

  read(token: Token): StatementData | undefined {
    const last = this.#last;
    const beforeLast = this.#beforeLast;
    this.#beforeLast = last;
    this.#last = token;
    if (last !== undefined) rejectFileClause(last, token);
    this.#readInput(last, token);
    if (token.depth > 0) return undefined;
    if (isWord(token, 'SELECT') || isWord(token, 'WITH')) this.#selects = true;
    if (!this.#selects && isWord(token, 'SETTINGS')) this.#settingsStart ??= token.start;
    if (!this.#selects && isWord(token, 'VALUES') && !isTablePlace(last)) {
      return this.#data('Values', token.start, token.end);
    }
    if (last === undefined || isTablePlace(beforeLast) || !isFormatClause(last, token)) return undefined;
    if (this.#selects && this.input === undefined) return undefined;
    return this.#data(token.text, last.start, dataStart(this.#text, token.end));
  }

  /** Remembers where `input('structure')` stands, the one table function that reads the data of the INSERT. */
  #readInput(last: Token | undefined, token: Token): void {
    if (!this.#selects || this.input !== undefined) return;
    if (token.text === '(' && last !== undefined && isWord(last, 'INPUT')) this.#inputStart = last.start;
    else if (this.#inputStart === undefined) return;
    else if (token.kind === 'string' && this.#structure === undefined) {
      this.#structure = sqlOf(this.#text, token.start, token.end);
    } else if (token.text === ')' && this.#structure !== undefined) {
      this.input = { start: this.#inputStart, end: token.end };
    } else throw raised.badArguments('Function input() takes the structure as one string literal');
  }

  #data(format: string, clauseStart: number, offset: number): StatementData {
    const { input } = this;
    const structure = this.#structure;
    const text = this.#text;
    if (input !== undefined && structure !== undefined) {
      const before = sqlOf(text, 0, input.start);
      const after = sqlOf(text, input.end, clauseStart);
      const readFrom = (path: string) =>
        `${before}file(${quoted(path)}, ${quoted(format)}, ${structure}, 'none')${after}`;
      return { format, offset, readFrom };
    }
    const split = this.#settingsStart ?? clauseStart;
    const before = sqlOf(text, 0, split);
    const settings = sqlOf(text, split, clauseStart);
    const readFrom = (path: string) =>
      `${before} FROM INFILE ${quoted(path)} COMPRESSION 'none' ${settings} FORMAT ${format}`;
    return { format, offset, readFrom };
  }
}

/** The word after INTO or TABLE, or after a dot, is a name whatever it says. */
function isTablePlace(previous: Token | undefined): boolean {
  return isWord(previous, 'INTO') || isWord(previous, 'TABLE') || previous?.text === '.';
}

function dataStart(text: string, formatEnd: number): number {
  let position = formatEnd;
  while (text[position] === ' ' || text[position] === '\t' || text[position] === '\f') position++;
  if (text[position] === ';')
    throw raised.syntaxError("You have excessive ';' symbol before data for INSERT");
  if (text[position] === '\r') position++;
  if (text[position] === '\n') position++;
  return position;
}

/**
 * A string literal that cannot be left early: quotes, backslashes and everything outside printable ASCII are spelled
 * as `\xHH` of their UTF-8 bytes.
 */
export function quoted(value: string): string {
  return `'${spelled(value)}'`;
}

/** The same for the name of a database. */
export function quotedIdentifier(name: string): string {
  return `\`${spelled(name)}\``;
}

function spelled(value: string): string {
  return value.replace(/[^ !#-&(-[\]-_a-~]+/g, (run) =>
    Buffer.from(run).toString('hex').replace(/../g, String.raw`\x$&`),
  );
}

const blank = /[\s\0]+|--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const word = /[A-Za-z_0-9$\x80-\xff]+/y;
const heredoc = /\$(\w*)\$[\s\S]*?\$\1\$/y;
const quotes: ReadonlyMap<string, { kind: 'string' | 'identifier'; pattern: RegExp }> = new Map([
  ["'", { kind: 'string', pattern: /'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/y }],
  ['"', { kind: 'identifier', pattern: /"(?:[^"\\]|\\[\s\S]|"")*(?:"|$)/y }],
  ['`', { kind: 'identifier', pattern: /`(?:[^`\\]|\\[\s\S]|``)*(?:`|$)/y }],
]);

function* tokensOf(text: string): Tokens {
  let position = 0;
  let depth = 0;
  while (position < text.length) {
    const skipped = matchedAt(blank, text, position);
    if (skipped > 0) {
      position += skipped;
      continue;
    }
    const start = position;
    const character = text.charAt(position);
    const quote = quotes.get(character);
    if (quote !== undefined) {
      position += Math.max(1, matchedAt(quote.pattern, text, position));
      yield { kind: quote.kind, text: '', start, end: position, depth };
      continue;
    }
    const length = matchedAt(heredoc, text, position);
    if (length > 0) {
      position += length;
      yield { kind: 'string', text: '', start, end: position, depth };
      continue;
    }
    const wordLength = matchedAt(word, text, position);
    position += Math.max(1, wordLength);
    if (')]}'.includes(character)) depth = Math.max(0, depth - 1);
    yield {
      kind: kindOfCharacter(character, wordLength),
      text: text.slice(start, position),
      start,
      end: position,
      depth,
    };
    if ('([{'.includes(character)) depth++;
  }
  return undefined;
}

function kindOfCharacter(character: string, wordLength: number): Token['kind'] {
  if (wordLength > 0) return 'word';
  return character === ';' ? 'semicolon' : 'symbol';
}

function matchedAt(pattern: RegExp, text: string, position: number): number {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0].length ?? 0;
}
