import { json } from '../answers.js'
import { describeApi } from '../openapi.js'
import { NO_QUERY } from '../query.js'
import type { Handler } from '../task.js'

export const description: Handler = ({ site, query }) => {
  query(NO_QUERY)
  return json(200, describeApi(site.made))
}
