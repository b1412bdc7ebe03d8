//! When a tracker beacons, inquires and tells its download counts (sans-IO).
