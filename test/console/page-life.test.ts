import { expect, test } from 'vitest'
import { daysOf, isLong, lifeChoices } from '../../console/page/life.js'
import { texts } from '../../console/page/texts.js'

test('offers the default life among the usual ones, shortest first, and no end last', () => {
  expect(lifeChoices('365d')).toEqual(['30d', '90d', '180d', '365d', '730d', null])
  expect(lifeChoices('36h')).toEqual(['36h', '30d', '90d', '180d', '365d', '730d', null])
  expect(lifeChoices(null)).toEqual(['30d', '90d', '180d', '365d', '730d', null])
})

test('reads durations in each unit', () => {
  expect(['86400s', '1440m', '24h', '1d'].map(daysOf)).toEqual([1, 1, 1, 1])
})

test('warns beyond a year, and of keys without an end', () => {
  expect(['30d', '365d', '8760h'].map(isLong)).toEqual([false, false, false])
  expect(['366d', '730d', null].map(isLong)).toEqual([true, true, true])
})

test('says a life in words', () => {
  expect(['365d', '90d', '36h'].map(texts.generate.life)).toEqual(['In a year', 'In 90 days', 'In 36 hours'])
})

test('leaves out what is longer than keys may live', () => {
  expect(lifeChoices('365d', 100 * 86_400_000)).toEqual(['30d', '90d', null])
  expect(lifeChoices('1h', 7_200_000)).toEqual(['1h', null])
})
