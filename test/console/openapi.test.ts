import { Validator } from '@seriousme/openapi-schema-validator'
import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { expect, test } from 'vitest'
import { describeApi } from '../../console/openapi.js'

const keyring = createKeyring(memoryKeyStore(), { scopes: ['reports:read'] })
const document = describeApi(keyring.describe()) as { [member: string]: never }

test('is OpenAPI 3.1, as its own schema says', async () => {
  const validator = new Validator()
  // The validator resolves references in place.
  const { valid, errors } = await validator.validate(structuredClone(document))
  expect(errors).toBeUndefined()
  expect(valid).toBe(true)
  expect(validator.version).toBe('3.1')
})
