/** A command that a workflow carries out (ADR 23). */
export interface WorkflowCommand {
  /** Id of its row, and of what it makes: the new row, the workflow, the update. */
  readonly command_id: string;
  /**
   * Until when its caller waits, milliseconds since the epoch by the caller's clock. After that nothing is carried out any
   * more, which the database judges by its own clock.
   */
  readonly waits_until: number;
}
