import { describe, expect, it } from 'vitest';
import { engineException, exceptionText, httpStatus, raised } from './clickhouse-exception.ts';

describe('engineException', () => {
  it.each([
    ['Code: 81. DB::Exception: Database d does not exist. (UNKNOWN_DATABASE)', 'Database d does not exist.'],
    [
      "Code: 115. DB::Exception: Code: 115. DB::Exception: Unknown setting 'x'. (UNKNOWN_SETTING) (version 26.7.2.1). (UNKNOWN_SETTING)",
      "Unknown setting 'x'.",
    ],
    [
      'Code: 26. DB::Exception: Bad: (at row 11)\n: (in file/uri /spool/1): While executing File: data for INSERT was parsed from file. (CANNOT_PARSE_QUOTED_STRING)',
      'Bad: (at row 11)\n: While executing File.',
    ],
  ])('takes the innermost of %j', (text, message) => {
    expect(engineException(new Error(text)).message).toBe(message);
  });

  it('keeps what is an exception already, and gives a code to what is none', () => {
    const exception = raised.badArguments('x');
    expect(engineException(exception)).toBe(exception);
    expect(engineException(new TypeError('odd'))).toMatchObject({ code: 1001, message: 'odd' });
  });

  it('is told and answered as a server does', () => {
    const exception = engineException(new Error('Code: 60. DB::Exception: No t. (UNKNOWN_TABLE)'));
    expect(exceptionText(exception, '26.7')).toBe(
      'Code: 60. DB::Exception: No t. (UNKNOWN_TABLE) (version 26.7)\n',
    );
    expect(httpStatus(exception)).toBe(404);
    expect(httpStatus(engineException('anything'))).toBe(500);
  });
});
