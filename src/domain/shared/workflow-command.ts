/** A command that a workflow carries out (ADR 23). */
export interface WorkflowCommand {
  /** Id of its row, and of what it makes: the new row, the workflow, the update. */
  readonly command_id: string;
  /**
   * Until when its caller waits, milliseconds since the epoch by the caller's clock. After that nothing is carried out any
   * more, which the database judges by its own clock.
   */
  readonly waits_until: number;
  /**
   * Takes what sends the command once more when it was carried out and its workflow may not know of it. Only for a workflow that
   * belongs to the one thing the command is about: where its id is used again, a late message would meet another one.
   */
  readonly tellBy?: (telling: (waits_until: number) => Promise<unknown>) => void;
}
