/** The value of a parameter, or of a column that was read. */
export type SqlValue = string | number | null

/** A row as its driver gives it: SQLite's own types, or the text that PostgreSQL wrote. */
export type SqlRow = Readonly<Record<string, SqlValue>>

/** A statement, with the values of its parameters in the order in which the text names them. */
export interface Statement {
  readonly text: string
  readonly values: readonly SqlValue[]
}

/** What SQLite and PostgreSQL write differently. */
export interface Dialect {
  /** How a statement names one of our tables. */
  table(name: string): string
  /** How a statement names a parameter, by its number from 1. */
  parameter(number: number): string
  /** How a statement names a parameter that holds an instant. */
  instantParameter(number: number): string
  /** An instant, in milliseconds since the epoch, as the value of a parameter. */
  instantValue(ms: number): SqlValue
  /** The smaller one of an instant that was given and the present one by the database's own clock. */
  notAfterNow(parameter: string): string
  /** The expression that reads an instant as milliseconds since the epoch. */
  readInstant(expression: string): string
  /** How a statement names a parameter that holds a day: `2026-11-25`. */
  dayParameter(number: number): string
  /** The expression that reads a day as such a text. */
  readDay(expression: string): string
  /** The expression that compares a text by its code points, and that knows no letters but ASCII. */
  plainText(expression: string): string
  /** The aggregate that writes texts one after another, with commas between. */
  joinTexts(expression: string): string
}

/** Collects the values of a statement while its text is written. Each function returns what the text says for the value. */
export interface Parameters {
  readonly values: SqlValue[]
  table(name: string): string
  value(value: SqlValue): string
  instant(ms: number | null): string
  day(day: string): string
  readonly dialect: Dialect
}

export function createParameters(dialect: Dialect): Parameters {
  const values: SqlValue[] = []
  return {
    values,
    dialect,
    table: dialect.table,
    value: (value) => dialect.parameter(values.push(value)),
    instant: (ms) => dialect.instantParameter(values.push(ms === null ? null : dialect.instantValue(ms))),
    day: (day) => dialect.dayParameter(values.push(day)),
  }
}
