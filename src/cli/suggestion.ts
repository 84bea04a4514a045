/** ` Did you mean …?` for a misspelt word that is close to one of those that there are; else nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const typed = word.slice(0, LONGEST_WORD).toLowerCase()
  let closest: string | undefined
  // A third of the word may be wrong. Further away it is another word.
  let least = Math.max(1, Math.floor(typed.replace(/^-+/, '').length / 3)) + 1
  for (const candidate of candidates) {
    const isBeginning = typed.length > 3 && candidate.startsWith(typed)
    const distance = isBeginning ? 0 : distanceOf(typed, candidate.toLowerCase())
    if (distance < least) {
      closest = candidate
      least = distance
    }
  }
  return closest === undefined ? '' : ` Did you mean ${closest}?`
}

const LONGEST_WORD = 64

/** How many letters have to be changed, added, taken away or swapped with their neighbour. */
function distanceOf(a: string, b: string): number {
  let [beforeLast, last]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (row: number[] | undefined, column: number) => row?.[column] ?? Number.POSITIVE_INFINITY
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      current[j] = Math.min(
        at(last, j) + 1,
        at(current, j - 1) + 1,
        at(last, j - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, j - 2) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    beforeLast = last
    last = current
  }
  return last?.[b.length] ?? Number.POSITIVE_INFINITY
}
