// Both look at the text of a URL alone, in any spelling that the URL parser normalises. What a name resolves to is not
// known here.

/** Whether a URL points at this machine. */
export function isLoopback(url: URL): boolean {
  const host = hostOf(url)
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    /^127\.\d+\.\d+\.\d+$/.test(host) ||
    host === '0.0.0.0' ||
    host === '[::1]' ||
    host === '[::]' ||
    /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(host) ||
    host === '[::ffff:0:0]'
  )
}

/**
 * Whether a URL points at a link-local address, where clouds hand out the credentials of their machines: 169.254.0.0/16
 * (RFC 3927), also inside an address of version 6 (RFC 4291 §2.5.5, RFC 6052 §2.1, RFC 2765 §2.1), and fe80::/10.
 */
export function isLinkLocal(url: URL): boolean {
  const host = hostOf(url)
  return (
    /^169\.254\.\d+\.\d+$/.test(host) ||
    /^\[fe[89ab][0-9a-f]:/.test(host) ||
    /^\[(?:::|::ffff:|::ffff:0:|64:ff9b::)a9fe:[0-9a-f]+\]$/.test(host)
  )
}

function hostOf(url: URL): string {
  return url.hostname.replace(/\.$/, '')
}
