import { UsageError } from './command.js'

/**
 * Reads a text from standard input.
 *
 * @param most bytes; a wrong file is refused before all of it is read
 * @param options.keepsMark whether a byte order mark is a part of the text
 * @throws {UsageError} for more, and for what is no UTF-8 text; without repeating any of it
 */
export async function readStandardInput(most: number, { keepsMark = false } = {}): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    length += chunk.length
    if (length > most) throw new UsageError(`standard input has more than ${most} bytes`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: keepsMark }).decode(Buffer.concat(chunks))
  } catch {
    throw new UsageError('standard input is not UTF-8 text')
  }
}
