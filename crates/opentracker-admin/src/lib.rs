//! The operator plane: statistics, metrics, the dashboard, full scrapes.
