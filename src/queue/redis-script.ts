/** A Lua script with its name and how many of its arguments are keys. */
import type { Redis } from 'ioredis';

export interface RedisScript {
  readonly name: string;
  readonly keyCount: number;
  readonly lua: string;
}

export type ScriptArgument = string | number | Buffer;

/** Makes the scripts known to this connection; doing it again changes nothing. */
export function defineScripts(redis: Redis, scripts: readonly RedisScript[]): void {
  for (const { name, keyCount, lua } of scripts) redis.defineCommand(name, { numberOfKeys: keyCount, lua });
}

export function runScript(
  redis: Redis,
  script: RedisScript,
  args: readonly ScriptArgument[],
): Promise<unknown> {
  // ioredis adds a method of the script's name, which its typings cannot know.
  const command = (redis as unknown as Record<string, ScriptCommand | undefined>)[script.name];
  if (command === undefined) throw new Error(`the script ${script.name} was not defined on this connection`);
  return command.apply(redis, [...args]);
}

type ScriptCommand = (...args: ScriptArgument[]) => Promise<unknown>;
