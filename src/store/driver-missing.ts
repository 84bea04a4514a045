/**
 * The package that a store needs is not installed. For users it is a TypeError at start; the command line tells it from a
 * wrong argument.
 *
 * @internal
 */
export class DriverMissingError extends TypeError {}
