/** The deployment that a key belongs to; a service refuses keys of the other one before it asks its store. */
export type Environment = 'live' | 'test'
