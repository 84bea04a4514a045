/**
 * A wrong argument, option or variable. For users it is a TypeError, as the documentation says; here it can be told from
 * the TypeError that the engine throws for a mistake of our own.
 *
 * @internal
 */
export class ArgumentError extends TypeError {
  /** Whose value is wrong, as the caller names it. The message begins with it. */
  readonly argument: string

  constructor(argument: string, fault: string) {
    super(`${argument} ${fault}`)
    this.argument = argument
  }
}
