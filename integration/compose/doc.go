// Package compose tests docker-compose.yml, and holds what its images are made of:
// Dockerfiles, and the programs setup and healthy.
package compose
