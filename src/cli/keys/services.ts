import type { FollowingService } from '../../keyring/contract.js'
import { DEFAULT_ANSWER_TIME } from '../../keyring/services.js'
import type { Command } from '../command.js'
import { NAME_COLUMNS, nameCells, noticeNobodyFollows, readAnswerDuration } from '../confirmation.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { printTable } from '../table.js'
import { formatInstant, printJson, withProgress } from '../terminal.js'

export const services: Command = {
  summary: 'which services follow the store, since when, how far',
  about: [
    'Each is asked whether it has heard of everything that was committed before. One that answers is up to date: it refuses what was revoked until then.',
  ],
  options: {
    timeout: { value: 'DURATION', help: 'how long they have to answer, 1s to 10m', default: DEFAULT_ANSWER_TIME },
    ...STORE_OPTIONS,
  },
  examples: ['vantage-auth keys services --timeout 5s'],
  exitCodes:
    '0, also where a service has not answered; 1 for trouble with the store; 2 for a wrong argument. keys revoke --wait exits with 1 where one has not.',
  async run(given) {
    const timeout = readAnswerDuration(given, 'timeout')
    await withKeyring(given, { changes: false }, async (keyring) => {
      const found = await withProgress(
        () => 'waiting for the services that follow the store',
        () => keyring.services({ timeout }),
      )
      if (given.is('json')) return printJson({ services: found })
      if (found.length === 0) return noticeNobodyFollows(given)
      printTable(
        [...NAME_COLUMNS, 'SINCE', 'HEARD OF'],
        found.map((service) => [...nameCells(service), formatInstant(service.since), describeProgress(service)]),
      )
    })
  },
}

function describeProgress({ heardOf, isUpToDate }: FollowingService): string {
  if (!isUpToDate) return 'no answer'
  return heardOf === null ? 'up to date' : `change ${heardOf}, up to date`
}
