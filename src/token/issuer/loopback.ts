/** Whether a URL points at this machine, in any spelling that the URL parser normalises. */
export function isLoopback(url: URL): boolean {
  const host = url.hostname.replace(/\.$/, '')
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    /^127\.\d+\.\d+\.\d+$/.test(host) ||
    host === '0.0.0.0' ||
    host === '[::1]' ||
    host === '[::]' ||
    host.startsWith('[::ffff:7f') ||
    host === '[::ffff:0:0]'
  )
}
