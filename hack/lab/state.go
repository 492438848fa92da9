// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is what one lab has on the machine. It is written before anything is made, so that whatever happens to the process that
// makes it, the next one knows what to undo.
type State struct {
	// Dir is the lab's folder, absolute: what names the lab.
	Dir string `json:"dir"`
	// BootID tells a machine that was restarted since, where none of this exists any more.
	BootID string `json:"bootID"`
	// Owner is the process that started it. Unless Detached, the lab is left over once its owner has ended.
	Owner    Process `json:"owner"`
	Detached bool    `json:"detached,omitempty"`

	BinDir          string      `json:"binDir,omitempty"`          // folder with kubectl
	Host            string      `json:"host,omitempty"`            // URL of the API server
	RegistryAddress string      `json:"registryAddress,omitempty"` // host:port
	Bridge          string      `json:"bridge,omitempty"`          // network interface that nodes are attached to
	Processes       []Process   `json:"processes,omitempty"`
	Nodes           []NodeState `json:"nodes,omitempty"`
}

// NodeState is what one node has on the machine.
type NodeState struct {
	Name       string    `json:"name"`
	InternalIP string    `json:"internalIP"`
	Folder     string    `json:"folder"` // everything below it is unmounted and removed
	Namespace  string    `json:"namespace"`
	Interface  string    `json:"interface"` // the host's end of its cable
	Cgroup     string    `json:"cgroup"`    // below every hierarchy
	Processes  []Process `json:"processes,omitempty"`
}

// stateFile is a State and the file it is in.
type stateFile struct {
	path string

	mu sync.Mutex
	s  State // guarded by mu
}

// statesDir is where all the machine's labs of this user are written down.
func statesDir() (string, error) {
	cache, err := cacheDir()
	return filepath.Join(cache, "running"), err
}

// statePath is the file of the lab in dir.
func statePath(dir string) (string, error) {
	states, err := statesDir()
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(states, hex.EncodeToString(sum[:8])+".json"), err
}

// readState reads a state file; os.ErrNotExist when there is none.
func readState(path string) (State, error) {
	var s State
	content, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("state file %s: %w; delete it if it is not the lab's", path, err)
	}
	return s, nil
}

// update changes the state and writes it; the file is whole at every moment.
func (f *stateFile) update(change func(*State)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.s)
	content, err := json.MarshalIndent(f.s, "", "  ")
	if err != nil {
		return err
	}
	partial := f.path + ".partial"
	if err := os.WriteFile(partial, append(content, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, f.path)
}

// read returns the state; its slices are the caller's.
func (f *stateFile) read() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.s
	s.Processes = slices.Clone(s.Processes)
	s.Nodes = slices.Clone(s.Nodes)
	for i := range s.Nodes {
		s.Nodes[i].Processes = slices.Clone(s.Nodes[i].Processes)
	}
	return s
}

// recordProcess adds a process to the lab.
func (f *stateFile) recordProcess(p Process) error {
	return f.update(func(s *State) { s.Processes = append(s.Processes, p) })
}

// recordNodeProcess adds a process to a node of the lab and forgets those of the node that have ended.
func (f *stateFile) recordNodeProcess(node string) func(Process) error {
	return func(p Process) error {
		return f.update(func(s *State) {
			for i := range s.Nodes {
				if n := &s.Nodes[i]; n.Name == node {
					n.Processes = append(slices.DeleteFunc(n.Processes, func(p Process) bool { return !p.Alive() }), p)
				}
			}
		})
	}
}

// claim undoes what earlier labs have left behind on the machine and writes down a new one in dir.
func claim(ctx context.Context, dir string, detached bool) (*stateFile, error) {
	states, err := statesDir()
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(ctx, filepath.Join(states, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := sweep(ctx, states, dir); err != nil {
		return nil, err
	}
	path, err := statePath(dir)
	if err != nil {
		return nil, err
	}
	owner, err := processOf("owner", os.Getpid())
	if err != nil {
		return nil, err
	}
	f := &stateFile{path: path}
	return f, f.update(func(s *State) {
		*s = State{Dir: dir, BootID: bootID(), Owner: owner, Detached: detached}
	})
}

// sweep undoes the lab in dir, and every other whose owner is gone.
func sweep(ctx context.Context, states, dir string) error {
	files, err := filepath.Glob(filepath.Join(states, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range files {
		s, err := readState(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // another process has just undone it
		}
		if err != nil {
			return err
		}
		if !s.Detached && s.Owner.Alive() && s.BootID == bootID() {
			if s.Dir == dir {
				return fmt.Errorf("folder %s is in use by the lab of process %d; use another folder, or end that process", dir, s.Owner.PID)
			}
			continue
		}
		if s.Detached && s.Dir != dir {
			continue
		}
		if err := s.undo(ctx); err != nil {
			return fmt.Errorf("undo what an earlier lab in %s has left behind: %w", s.Dir, err)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// bootID is a name of this run of the machine.
func bootID() string {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// Down ends and undoes the lab in dir, also after a crash. It says whether there was one.
func Down(ctx context.Context, dir string) (found bool, err error) {
	f, err := openState(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.remove(ctx)
}

// openState opens the state of the lab in dir; os.ErrNotExist when there is none.
func openState(dir string) (*stateFile, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	path, err := statePath(dir)
	if err != nil {
		return nil, err
	}
	s, err := readState(path)
	return &stateFile{path: path, s: s}, err
}

// remove undoes everything that is written down and then forgets it.
func (f *stateFile) remove(ctx context.Context) error {
	// What has begun to be undone is undone to its end, also when the caller's patience has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if err := f.read().undo(ctx); err != nil {
		return err
	}
	return os.Remove(f.path)
}
