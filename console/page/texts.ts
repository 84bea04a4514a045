/** The language of the texts, and so of dates and numbers. index.html says the same. */
export const LOCALE = 'en'

/** A duration as the API writes it: a number and its unit. */
const LIFE = /^(\d+)([smhd])$/

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
  },

  rotate: {
    title: 'Rotate key',
  },

  revoke: {
    title: 'Revoke key',
  },

  usage: {
    title: 'Usage',
  },

  audit: {
    title: 'Audit',
  },
}
