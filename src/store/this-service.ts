import { hostname } from 'node:os'
import { basename } from 'node:path'
import type { AskedService } from './contract.js'

/** Whatever a terminal could take for a command, or a list for a break between two names. */
const UNFIT = /[^\x21-\x7e]+/g

/**
 * By what people find this process among the services of a store.
 *
 * @param applicationName what the connection string calls it. Default: the name of the program's file.
 */
export function thisService(applicationName?: string): Pick<AskedService, 'host' | 'pid' | 'applicationName'> {
  return {
    host: serviceText(hostname()),
    pid: process.pid,
    applicationName: serviceText(applicationName ?? basename(process.argv[1] ?? process.title)),
  }
}

/** A name that a service gives itself, fit to be shown: printable ASCII without spaces, at most 128 characters. */
export function serviceText(text: string): string | null {
  return text.replace(UNFIT, '_').slice(0, 128) || null
}
