import { UsageError } from './command.js'

/**
 * Reads a text from standard input.
 *
 * @param most bytes; a wrong file is refused before all of it is read
 * @throws {UsageError} for more, and for what is no UTF-8 text; without repeating any of it
 */
export async function readStandardInput(most: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    length += chunk.length
    if (length > most) throw new UsageError(`standard input has more than ${most} bytes`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new UsageError('standard input is not UTF-8 text')
  }
}
