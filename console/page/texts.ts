/** The language of the texts, and so of dates and numbers. index.html says the same. */
export const LOCALE = 'en'

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
  },

  once: {
    title: 'Your new API key',
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
