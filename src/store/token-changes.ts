/** Stands in the log of changes, where the id of a key would, for a change of the revocations of tokens. */
export const TOKEN_REVOCATIONS = '(token revocations)'
