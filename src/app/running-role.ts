export interface RunningRole {
  /** Drains and closes everything; safe twice. */
  stop(): Promise<void>;
  /** Rejects when the role cannot go on, and never resolves; absent for roles that go on until stopped. */
  readonly failed?: Promise<never>;
}
