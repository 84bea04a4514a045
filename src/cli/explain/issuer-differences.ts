/** How the issuer that a token names differs from a configured one, in words that follow "the token has". */
export function differencesOf(iss: string, configured: string): string {
  const named = iss.trim()
  if (!URL.canParse(named)) return 'no URL'
  const [theirs, ours] = [new URL(named), new URL(configured)]
  const [theirPath, ourPath] = [theirs, ours].map(({ pathname }) => pathname.replace(/\/$/, '')) as [string, string]
  const differences = [
    named !== iss && 'white space around it',
    theirs.protocol !== ours.protocol && `${theirs.protocol.slice(0, -1)}, not ${ours.protocol.slice(0, -1)}`,
    theirs.hostname !== ours.hostname && 'another host',
    theirs.hostname === ours.hostname &&
      theirs.protocol === ours.protocol &&
      theirs.port !== ours.port &&
      'another port',
    theirPath !== ourPath &&
      (theirPath.toLowerCase() === ourPath.toLowerCase() ? 'other letter case in its path' : 'another path'),
    theirPath === ourPath && named.endsWith('/') && !configured.endsWith('/') && 'a slash at its end',
    theirPath === ourPath && !named.endsWith('/') && configured.endsWith('/') && 'no slash at its end',
    (theirs.search !== '' || theirs.hash !== '') && 'a query or fragment',
  ].filter((difference) => difference !== false)
  return differences.join(' and ') || 'another spelling of it'
}
