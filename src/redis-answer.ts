/** Redis could not be reached or could not serve for now. A write that failed so may have been carried out. */
export class RedisUnavailableError extends Error {
  readonly code = 'REDIS_UNAVAILABLE';
  readonly retryable = true;
}

/**
 * The reply to a command. Fails with `RedisUnavailableError` where there is none, or only that Redis cannot serve
 * for now; any other error that Redis replies stays as it is, since the same command will meet it again. The
 * client's own text is left out: it may quote the command's arguments.
 */
export async function redisAnswer<Reply>(reply: Promise<Reply>): Promise<Reply> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError' && !isPassing(error.message)) throw error;
    throw new RedisUnavailableError('Redis does not answer');
  }
}

/** Starting, a replica not yet or no longer the master, a script that runs too long, no memory left. */
function isPassing(message: string): boolean {
  return /^(LOADING|MASTERDOWN|READONLY|TRYAGAIN|CLUSTERDOWN|BUSY|OOM) /.test(message);
}
