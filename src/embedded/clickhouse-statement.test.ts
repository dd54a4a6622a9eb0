import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInsertHead, parseStatement, quoted, quotedIdentifier } from './clickhouse-statement.ts';

const parse = (text: string) => parseStatement(Buffer.from(text));
const dataOf = (text: string) => {
  const { data } = parse(text);
  return data && { format: data.format, data: text.slice(data.offset), sql: data.readFrom('/spool/1') };
};

describe('parseStatement', () => {
  it.each([
    ['SELECT 1', 'select', undefined],
    ['  -- why\n/* ; */ SELECT 1 FORMAT JSONEachRow;', 'select', 'JSONEachRow'],
    ['SELECT 1 FORMAT CSV SETTINGS max_threads = 1', 'select', 'CSV'],
    ['WITH 1 AS x SELECT x', 'select', undefined],
    ['(SELECT 1) UNION ALL (SELECT 2 AS format FORMAT TSV)', 'select', undefined],
    ['SELECT format FROM t', 'select', undefined],
    ["SELECT ' FORMAT JSON '", 'select', undefined],
    ['CREATE TABLE t (a String) ENGINE = Memory', 'other', undefined],
    ['SHOW TABLES FORMAT JSON', 'other', 'JSON'],
    ['INSERT INTO t SELECT 1', 'insert', undefined],
    ['insert into t select 1 as format from numbers(1)', 'insert', undefined],
  ])('reads %s', (text, kind, format) => {
    expect(parse(text)).toMatchObject({ kind, format, data: undefined });
  });

  it('drops closing semicolons and refuses a second statement wherever it hides', () => {
    expect(parse("SELECT ';' ; ; -- end").sql).toBe("SELECT ';'");
    for (const text of [
      'SELECT 1; SELECT 2',
      "SELECT '\\\\'; DROP TABLE t",
      'SELECT 1;\n-- x\nDROP TABLE t',
    ]) {
      expect(() => parse(text)).toThrow(/Multi-statements are not allowed/);
    }
  });

  it('takes quotes, comments and heredocs as one piece', () => {
    const pieces = ["'a;''b\\'c;'", '"a;b"', '`a;\\`b`', '$tag$ ; $$ ; $tag$', '/* ; */ 1', '# ;\n 1'];
    for (const piece of pieces) expect(parse(`SELECT ${piece}`).sql).toBe(`SELECT ${piece}`);
  });

  it.each([
    ['INSERT INTO t FORMAT JSONEachRow\n{"a":1}\n', 'JSONEachRow', '{"a":1}\n'],
    ['INSERT INTO t FORMAT JSONEachRow {"a":1}', 'JSONEachRow', '{"a":1}'],
    ['INSERT INTO t FORMAT CSV \t\r\n\n\n1', 'CSV', '\n\n1'],
    ['INSERT INTO t (format, values) FORMAT Native\n;--', 'Native', ';--'],
    ['INSERT INTO format FORMAT TSV\n1', 'TSV', '1'],
    ['INSERT INTO db.values VALUES (1), (2)', 'Values', ' (1), (2)'],
    ['INSERT INTO t (a) VALUES (1);', 'Values', ' (1);'],
  ])('finds where the data begin in %j', (text, format, data) => {
    expect(dataOf(text)).toMatchObject({ format, data });
  });

  it('turns data into a file that the engine reads, with the settings where they belong', () => {
    expect(dataOf('INSERT INTO t (a, b) SETTINGS x = 1 FORMAT Native\n')?.sql).toBe(
      "INSERT INTO t (a, b)  FROM INFILE '/spool/1' COMPRESSION 'none' SETTINGS x = 1  FORMAT Native",
    );
    expect(
      dataOf(
        "INSERT INTO t SELECT a FROM input('a String, b Map(String, String)') WHERE b = 1 FORMAT Native\nx",
      ),
    ).toEqual({
      format: 'Native',
      data: 'x',
      sql: "INSERT INTO t SELECT a FROM file('/spool/1', 'Native', 'a String, b Map(String, String)', 'none') WHERE b = 1 ",
    });
  });

  it('refuses what would make the process read or write files of its own', () => {
    expect(() => parse("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV")).toThrow(
      /INFILE is not allowed/,
    );
    expect(() => parse("SELECT 1 INTO OUTFILE 'x'")).toThrow(/OUTFILE is not allowed/);
  });

  it('refuses input() without data, without a literal structure, and a semicolon in front of data', () => {
    expect(() => parse("INSERT INTO t SELECT * FROM input('a String')")).toThrow(/FORMAT must be specified/);
    expect(() => parse('INSERT INTO t SELECT * FROM input(s) FORMAT CSV\n')).toThrow(/one string literal/);
    expect(() => parse('INSERT INTO t FORMAT CSV;\n1')).toThrow(/excessive ';'/);
    expect(() => parse(' -- nothing\n')).toThrow(/Empty query/);
  });

  it('never looks into the data, whatever their bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const statement = Buffer.from('INSERT INTO t FORMAT RowBinary\n');
        const { data } = parseStatement(Buffer.concat([statement, bytes]));
        expect(data?.offset).toBe(statement.length);
      }),
    );
  });
});

describe('parseInsertHead', () => {
  const summary = (statement: ReturnType<typeof parseInsertHead>) =>
    statement && { sql: statement.sql, ...statement.data, readFrom: statement.data?.readFrom('/spool/1') };

  it('finds the same as the whole would, wherever the statement and its data are cut', () => {
    for (const text of [
      "INSERT INTO t SELECT a FROM input('a String') WHERE a != ' FORMAT CSV ' FORMAT Native\n\n;x",
      'INSERT INTO db.values (a, format) SETTINGS x = 1 FORMAT CSV\r\n1;2',
      'INSERT INTO t /* FORMAT CSV */ (a) -- VALUES\n VALUES (1), (2)',
    ]) {
      const whole = parseStatement(Buffer.from(text));
      for (let cut = 0; cut <= text.length; cut += 1) {
        const head = `${text.slice(0, cut)}\n`;
        const found = parseInsertHead(Buffer.from(head));
        if (found !== undefined) {
          expect(summary(found)).toEqual(summary(parseStatement(Buffer.from(head + text.slice(cut)))));
        }
        if (cut >= (whole.data?.offset ?? 0)) expect(summary(found)).toEqual(summary(whole));
      }
    }
  });

  it.each(['', 'SELECT 1', 'INSERT INTO t SELECT 1', 'INSERT INTO t SELECT 1; VALUES', 'INSERT INTO t (a)'])(
    'leaves %j to a look at the whole',
    (text) => expect(parseInsertHead(Buffer.from(text))).toBeUndefined(),
  );
});

describe('quoted', () => {
  it('gives a literal without a quote or backslash other than its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(quoted(value)).toMatch(/^'(?:[ !#-&(-[\]-_a-~]|\\x[0-9a-f]{2})*'$/);
        expect(quotedIdentifier(value)).toMatch(/^`(?:[ !#-&(-[\]-_a-~]|\\x[0-9a-f]{2})*`$/);
      }),
    );
    expect(quoted("a'b\\ü")).toBe("'a\\x27b\\x5c\\xc3\\xbc'");
  });
});
