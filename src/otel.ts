export { type MetricsOptions, recordMetrics } from './core/metrics.js'
