//! When and what a tracker tells its cluster of announces (sans-IO).
