// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// joint is what a pod's spec says of its images, ready to be joined with the statuses of the containers that use them. They are
// joined by the container's name: the image that a status names is the runtime's choice among all names of the same image. It
// never changes, and is one for all pods of a template.
type joint struct {
	// images are without anything that a status tells; more says that there are some that are left out.
	images []ledger.PodImage
	more   bool
	// The image of each container and image volume, by name.
	initContainers, containers, ephemeralContainers, volumes placesByName
}

// jointOf leaves out images whose names no runtime could parse: nothing is ever pulled for them.
func jointOf(spec *corev1.PodSpec) *joint {
	images, _ := imageref.OfPod(spec)
	j := &joint{more: len(images) > maxPodImages}
	if len(images) == 0 {
		return j
	}
	images = images[:min(len(images), maxPodImages)]
	places := make(map[imageref.Ref]int, len(images))
	j.images = make([]ledger.PodImage, len(images))
	for i := range images {
		places[images[i].Ref] = i
		j.images[i] = ledger.PodImage{Ref: images[i].Ref, PullPolicy: images[i].PullPolicy}
	}
	for i := range spec.InitContainers {
		j.initContainers.add(spec.InitContainers[i].Name, spec.InitContainers[i].Image, places)
	}
	for i := range spec.Containers {
		j.containers.add(spec.Containers[i].Name, spec.Containers[i].Image, places)
	}
	for i := range spec.EphemeralContainers {
		j.ephemeralContainers.add(spec.EphemeralContainers[i].Name, spec.EphemeralContainers[i].Image, places)
	}
	for i := range spec.Volumes {
		if v := &spec.Volumes[i]; v.Image != nil {
			j.volumes.add(v.Name, v.Image.Reference, places)
		}
	}
	j.initContainers.sort()
	j.containers.sort()
	j.ephemeralContainers.sort()
	return j
}

// with returns the images with how far the node is with each of them.
func (j *joint) with(status *corev1.PodStatus, ids *imageIDs) []ledger.PodImage {
	if len(j.images) == 0 {
		return nil
	}
	var (
		all  = make([]progress, len(j.images))
		some progress // of any container
	)
	for _, join := range []struct {
		places   placesByName
		statuses []corev1.ContainerStatus
	}{
		{j.initContainers, status.InitContainerStatuses},
		{j.containers, status.ContainerStatuses},
		{j.ephemeralContainers, status.EphemeralContainerStatuses},
	} {
		for i := range join.statuses {
			told := progressOf(&join.statuses[i], ids)
			some.merge(told)
			if place, found := join.places.find(join.statuses[i].Name); found {
				all[place].merge(told)
			}
		}
	}
	j.mergeVolumes(all, some, status)

	rows := slices.Clone(j.images)
	for i := range rows {
		p := &all[i]
		rows[i].ImageID, rows[i].Pulled, rows[i].StartedAt, rows[i].Failing = p.imageID, p.pulled, p.started, p.failing
	}
	return rows
}

// mergeVolumes adds what is known about image volumes: the kubelet pulls all of them before the first container of the pod
// (kuberuntime_manager.getImageVolumes), so any container that started proves that they are there.
func (j *joint) mergeVolumes(all []progress, some progress, status *corev1.PodStatus) {
	if len(j.volumes) == 0 {
		return
	}
	mounted := mountedImages(status)
	for _, volume := range j.volumes {
		all[volume.place].merge(progress{
			imageID: mounted[volume.name],
			pulled:  some.pulled,
			started: some.started,
			// A volume that can't be pulled shows as a waiting container, and which of them it is nobody says. So a pod
			// that has started nothing, and fails, counts as failing on its volumes too.
			failing: some.failing && !some.pulled,
		})
	}
}

// placesByName are places in a list of images.
type placesByName []namedPlace

type namedPlace struct {
	name  string
	place int
}

// add leaves out images that are not among those.
func (p *placesByName) add(name, image string, places map[imageref.Ref]int) {
	if ref, err := imageref.Parse(image); err == nil {
		if place, found := places[ref]; found {
			*p = append(*p, namedPlace{name, place})
		}
	}
}

func (p placesByName) sort() {
	slices.SortStableFunc(p, func(a, b namedPlace) int { return cmp.Compare(a.name, b.name) })
}

func (p placesByName) find(name string) (place int, found bool) {
	i, found := slices.BinarySearchFunc(p, name, func(e namedPlace, name string) int { return cmp.Compare(e.name, name) })
	if !found {
		return 0, false
	}
	return p[i].place, true
}
