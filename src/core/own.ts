/** A member of the object itself, whatever somebody has put on `Object.prototype`. */
export function own(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name as keyof typeof object] : undefined
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
