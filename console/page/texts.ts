/** The language of the texts, and so of dates and numbers. index.html says the same. */
export const LOCALE = 'en'

/** A duration as the API writes it: a number and its unit. */
const LIFE = /^(\d+)([smhd])$/

const NUMBER = new Intl.NumberFormat(LOCALE)
/** Days of usage are days of UTC, wherever the reader is. */
const DAY = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeZone: 'UTC' })

const uses = (count: number): string => `${NUMBER.format(count)} ${count === 1 ? 'use' : 'uses'}`

/** Every text of the page, a section for each view. */
export const texts = {
  shell: {
    skip: 'Skip to the content',
    navigation: 'API key settings',
    keys: 'Keys',
    usage: 'Usage',
    audit: 'Audit',
    allTenants: 'all tenants',
    readOnly: 'You may look at keys here, and not change them.',
    notFound: 'There is no such page',
    backToKeys: 'Back to API Keys',
  },
  problem: {
    offline: 'You are offline',
    offlineDetail: 'Or the server cannot be reached. This page tries again by itself.',
    session: 'Your session has ended',
    sessionDetail: 'What you have entered stays here.',
    signIn: 'Sign in again',
    unavailable: 'The key store cannot be reached',
    unavailableDetail: 'Nothing is lost. This page tries again by itself.',
    refused: 'That was refused',
    tryAgain: 'Try again',
  },
  state: {
    active: 'Active',
    superseded: 'Replaced',
    expired: 'Expired',
    revoked: 'Revoked',
  },
  date: {
    never: 'Never',
    utc: (text: string) => `${text} UTC`,
  },

  list: {
    title: 'API Keys',
    generate: 'Generate New Key',
  },

  generate: {
    title: 'Generate New Key',
    name: 'Name',
    nameHint: 'What it is for, such as “Nightly export”. You find it by this name later.',
    scopes: 'Scopes',
    scopesHint: 'Choose only what the application needs.',
    scopesMissing: 'Choose at least one scope: a key without one may do nothing.',
    scopeMeanings: {
      'jobs:read': 'Read job information',
      'jobs:write': 'Create and manage jobs',
      'clusters:read': 'Read cluster information',
      'clusters:write': 'Create and manage clusters',
      'storage:read': 'Access file information',
      'storage:write': 'Upload and manage files',
      'teams:read': 'Read team information',
      'teams:write': 'Manage team membership',
    },
    expires: 'Expires',
    life: (life: string) => {
      const span = LIFE.exec(life)
      if (life === '365d') return 'In a year'
      if (life === '730d') return 'In two years'
      const units: Readonly<Record<string, string>> = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days' }
      return span === null ? life : `In ${span[1]} ${units[span[2] ?? '']}`
    },
    noEnd: 'Never',
    longWarning: 'Longer than a year. Rotate keys yearly: a key that leaks is of use until its end.',
    noEndWarning: 'Without an end, a key that leaks is of use until somebody revokes it. Rotate it yearly.',
    environment: 'Environment',
    environments: { live: 'Live', test: 'Test' },
    owner: 'Owner',
    ownerHint: (actor: string) => `Whom requests with this key act for. Default: ${actor}.`,
    tenant: 'Tenant',
    tenantHint: 'Whose key it is. Default: nobody’s.',
    secretRemoved: 'That was an API key. It was removed: a key must not stand in a text that others see.',
    submit: 'Generate key',
    cancel: 'Cancel',
    sending: 'Generating the key…',
  },

  lost: {
    title: 'The answer was lost',
    detail: 'A key may have been made, and nobody has seen it. Look here before you try again.',
    looking: 'Looking for it…',
    none: 'No such key is there. You can try again.',
    found: (count: number) =>
      count === 1
        ? 'This key may be the one. Revoke it, then try again.'
        : 'One of these may be it. Revoke what nobody knows.',
    made: 'made',
    revoke: 'Revoke',
    reason: 'The answer with the key was lost',
  },

  once: {
    title: 'Your new API key',
    warning: 'This key is shown only now.',
    warningDetail: 'Copy it and store it in a safe place: nobody can show it again, and whoever has it can use it.',
    key: 'API key',
    copyKey: 'Copy key',
    command: 'Try it',
    copyCommand: 'Copy command',
    env: 'Use it in your application',
    copyEnv: 'Copy .env line',
    expires: 'expires',
    stored: 'I have stored it',
    done: 'Done',
    leave: 'Leave without storing the key?',
    leaveDetail: 'It cannot be shown again. A key that is lost has to be revoked and replaced.',
    stay: 'Stay here',
    leaveAnyway: 'Leave',
  },

  copy: {
    copied: 'Copied to the clipboard.',
    selected: 'There is no clipboard here. The text is selected: copy it with Ctrl+C, or ⌘C.',
  },

  key: {
    title: 'API key',
    way: 'Way back',
    back: 'API Keys',
    loading: 'Loading…',
    notFound: 'There is no such key',
    rotate: 'Rotate',
    revoke: 'Revoke',
    changed: (state: string) => `The state of this key has just changed: ${state}.`,
    facts: 'Facts',
    state: 'State',
    hint: 'Begins with',
    owner: 'Owner',
    tenant: 'Tenant',
    environment: 'Environment',
    created: 'Created',
    expires: 'Expires',
    expired: 'Expired',
    lastUsed: 'Last used',
    revoked: 'Revoked',
    by: 'by',
    replaces: 'Replaces',
    replacedBy: 'Replaced by',
    scopes: 'Scopes',
    usage: 'Usage',
    usageByDay: 'Uses by day',
    inRange: (days: number) => (days === 365 ? 'uses in the last year' : `uses in the last ${days} days`),
    inAll: (total: number) => ` ${NUMBER.format(total)} in all`,
    trail: 'Who did what',
  },

  rotate: {
    title: 'Rotate key',
    what: 'The new key gets the same name, owner, scopes and life. You see it once, on the next screen.',
    overlap: 'Overlap',
    overlaps: {
      '0s': 'None',
      '1h': '1 hour',
      '24h': '24 hours',
      '7d': '7 days',
      '30d': '30 days',
    },
    overlapHint: 'For that long the old key still works, at most until it expires. Store the new key meanwhile.',
    atOnce: 'The old key stops working at once: whatever uses it fails until it has the new one.',
    submit: 'Rotate key',
    cancel: 'Cancel',
    ended: (state: string) => `This key cannot be rotated, only an active one can. Its state: ${state}.`,
    lost: 'The answer was lost.',
    lostNothing: 'This key has not been replaced so far. Look again in a moment before you repeat it.',
    lostReplaced: 'A new key was made, and nobody has seen it. Revoke it, and generate another one.',
    revokeUnseen: 'Revoke the new key',
  },

  revoke: {
    title: 'Revoke key',
    refused: 'Within seconds, every service refuses this key.',
    neverUsed: 'It was never used.',
    lastUsed: 'It was last used',
    final: 'This is final: a revoked key cannot be brought back.',
    rotateInstead: 'To replace it without an interruption,',
    rotateLink: 'rotate it instead.',
    confirm: 'Type the name to confirm',
    or: 'or',
    lastFour: ', the last four characters of its id',
    reason: 'Reason (optional)',
    reasonHint: 'It is kept in the audit trail.',
    submit: 'Revoke key',
    cancel: 'Cancel',
    already: 'This key is revoked.',
    show: 'Show the key',
  },

  usage: {
    title: 'Usage',
    all: 'All keys',
    byDay: 'Uses of all keys by day',
    top: 'Most used keys',
    none: 'No key was used in this time.',
    key: 'Key',
    owner: 'Owner',
    lastUsed: 'Last used',
    uses: 'Uses',
  },

  audit: {
    title: 'Audit',
    loading: 'Loading…',
    empty: 'Nothing was done so far.',
    pages: 'Pages',
    newer: 'Newer',
    older: 'Older',
    reason: 'Reason:',
    somebody: 'Somebody',
    databaseUser: 'Somebody, by hand in the database,',
    allKeys: 'all keys',
    anotherKey: 'another key',
    and: ' and ',
    create: <T>(who: T, key: T) => [who, ' created ', key],
    rotate: <T>(who: T, key: T, successor: T) => [who, ' replaced ', key, ' by ', successor],
    revoke: <T>(who: T, key: T) => [who, ' revoked ', key],
    revokeTokens: <T>(who: T) => [who, ' revoked access tokens'],
    changed: <T>(key: T) => ['changed ', key],
    scopesTaken: <T>(scopes: string, key: T) => [`took ${scopes} from `, key],
    named: <T>(key: T, name: T) => ['named ', key, ' ', name],
    nameTaken: <T>(key: T) => ['took the name from ', key],
    change: <T>(key: T) => [key, ' was changed by hand in the database'],
    restore: <T>(key: T) => [key, ' was restored by hand in the database'],
    delete: <T>(key: T) => [key, ' was deleted by hand in the database'],
  },

  handover: {
    title: 'Which of the two keys is used',
    loading: 'Loading…',
    verdict: {
      ended: 'The old key has ended. Only the new one works.',
      'old-used': 'The old key is still used since it was replaced. Find what uses it before it ends.',
      moved: 'The new key is used, and the old one was not used since. It can go.',
      waiting: 'Neither key was used since the rotation. This view follows their uses.',
    },
    key: 'Key',
    state: 'State',
    lastUse: 'Last use',
    today: 'Uses today (UTC)',
    old: 'Old',
    successor: 'New',
    until: 'until',
    never: 'Never',
    stillUsed: 'Old key still used',
    revokeOld: 'Revoke the old key',
  },

  range: {
    legend: 'Time shown',
    days: (days: number) => (days === 365 ? '1 year' : `${days} days`),
  },

  bars: {
    count: (count: number) => NUMBER.format(count),
    date: (day: string | undefined) => (day === undefined ? '' : DAY.format(new Date(day))),
    day: (day: string, count: number) => `${DAY.format(new Date(day))}: ${uses(count)}`,
    sparkline: (total: number, days: number) => `${uses(total)} in ${days} days`,
    dayColumn: 'Day (UTC)',
    usesColumn: 'Uses',
    unused: 'No uses in this time.',
    leftOut: 'Days without uses are left out.',
  },
}
