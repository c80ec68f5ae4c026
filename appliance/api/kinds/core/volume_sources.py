"""Where the storage of a persistent volume is: one type per kind of storage."""

from typing import Annotated

from appliance.api.kinds.core.pod.volume_drivers import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from appliance.api.kinds.core.pod.volumes import HostPathVolumeSource
from appliance.api.kinds.core.references import ObjectReference, SecretReference
from appliance.api.schema import F, Int32, Message, always, nullable


class AzureFilePersistentVolumeSource(Message):
    """A share of Azure Files."""

    secretName: Annotated[str, F(1, "Secret with the account's name and key.", required=True)] = (
        always(str)
    )
    shareName: Annotated[str, F(2, "Name of the share.", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "Whether it cannot be written.")] = False
    secretNamespace: Annotated[
        str | None, F(4, "Namespace of the secret; the claim's unless said.")
    ] = nullable()


class CSIPersistentVolumeSource(Message):
    """A volume by a CSI driver."""

    driver: Annotated[str, F(1, "Name of the driver.", required=True)] = always(str)
    volumeHandle: Annotated[str, F(2, "The driver's name of the volume.", required=True)] = always(
        str
    )
    readOnly: Annotated[bool, F(3, "Whether it cannot be written.")] = False
    fsType: Annotated[str, F(4, "File system that it is mounted as.")] = ""
    volumeAttributes: Annotated[dict[str, str], F(5, "More facts for the driver.")] = {}
    controllerPublishSecretRef: Annotated[
        SecretReference | None, F(6, "Secret for attaching and detaching.")
    ] = None
    nodeStageSecretRef: Annotated[
        SecretReference | None, F(7, "Secret for preparing it on a node.")
    ] = None
    nodePublishSecretRef: Annotated[SecretReference | None, F(8, "Secret for mounting it.")] = None
    controllerExpandSecretRef: Annotated[
        SecretReference | None, F(9, "Secret for making it larger.")
    ] = None
    nodeExpandSecretRef: Annotated[
        SecretReference | None, F(10, "Secret for making it larger on a node.")
    ] = None


class CephFSPersistentVolumeSource(Message):
    """A folder of Ceph's file system."""

    monitors: Annotated[
        list[str], F(1, "Addresses of Ceph's monitors.", required=True, list_type="atomic")
    ] = always(list)
    path: Annotated[str, F(2, "The folder; the root unless said.")] = ""
    user: Annotated[str, F(3, "Name of the user; admin unless said.")] = ""
    secretFile: Annotated[str, F(4, "File with the user's key.")] = ""
    secretRef: Annotated[SecretReference | None, F(5, "Secret with the credentials.")] = None
    readOnly: Annotated[bool, F(6, "Whether it cannot be written.")] = False


class CinderPersistentVolumeSource(Message):
    """A volume of OpenStack Cinder."""

    volumeID: Annotated[str, F(1, "Identifies the volume.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "File system that it is mounted as.")] = ""
    readOnly: Annotated[bool, F(3, "Whether it cannot be written.")] = False
    secretRef: Annotated[SecretReference | None, F(4, "Secret with the credentials.")] = None


class FlexPersistentVolumeSource(Message):
    """A volume by a driver program on the node."""

    driver: Annotated[str, F(1, "Name of the driver.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "File system that it is mounted as.")] = ""
    secretRef: Annotated[SecretReference | None, F(3, "Secret with the credentials.")] = None
    readOnly: Annotated[bool, F(4, "Whether it cannot be written.")] = False
    options: Annotated[dict[str, str], F(5, "More options for the driver.")] = {}


class GlusterfsPersistentVolumeSource(Message):
    """A volume of Glusterfs."""

    endpoints: Annotated[str, F(1, "Endpoints object with its servers.", required=True)] = always(
        str
    )
    path: Annotated[str, F(2, "Name of the volume.", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "Whether it cannot be written.")] = False
    endpointsNamespace: Annotated[
        str | None, F(4, "Namespace of the endpoints; the claim's unless said.")
    ] = None


class ISCSIPersistentVolumeSource(Message):
    """A disk over iSCSI."""

    targetPortal: Annotated[str, F(1, "Address of the target.", required=True)] = always(str)
    iqn: Annotated[str, F(2, "Name of the target.", required=True)] = always(str)
    lun: Annotated[Int32, F(3, "Number of the disk on the target.", required=True)] = always(int)
    iscsiInterface: Annotated[str, F(4, "Name of the interface; default unless said.")] = ""
    fsType: Annotated[str, F(5, "File system that it is mounted as.")] = ""
    readOnly: Annotated[bool, F(6, "Whether it cannot be written.")] = False
    portals: Annotated[list[str], F(7, "More addresses of the target.", list_type="atomic")] = []
    chapAuthDiscovery: Annotated[bool, F(8, "Whether discovery uses CHAP.")] = False
    chapAuthSession: Annotated[bool, F(11, "Whether sessions use CHAP.")] = False
    secretRef: Annotated[SecretReference | None, F(10, "Secret with the credentials.")] = None
    initiatorName: Annotated[str | None, F(12, "Own name towards the target.")] = None


class LocalVolumeSource(Message):
    """A disk or folder that is attached to one node."""

    path: Annotated[str, F(1, "Where it is on the node.", required=True)] = always(str)
    fsType: Annotated[str | None, F(2, "File system that it is mounted as.")] = None


class RBDPersistentVolumeSource(Message):
    """A block device of Ceph."""

    monitors: Annotated[
        list[str], F(1, "Addresses of Ceph's monitors.", required=True, list_type="atomic")
    ] = always(list)
    image: Annotated[str, F(2, "Name of the image.", required=True)] = always(str)
    fsType: Annotated[str, F(3, "File system that it is mounted as.")] = ""
    pool: Annotated[str, F(4, "Name of the pool; rbd unless said.")] = ""
    user: Annotated[str, F(5, "Name of the user; admin unless said.")] = ""
    keyring: Annotated[str, F(6, "File with the user's key.")] = ""
    secretRef: Annotated[SecretReference | None, F(7, "Secret with the credentials.")] = None
    readOnly: Annotated[bool, F(8, "Whether it cannot be written.")] = False


class ScaleIOPersistentVolumeSource(Message):
    """A volume of ScaleIO."""

    gateway: Annotated[str, F(1, "Address of its gateway.", required=True)] = always(str)
    system: Annotated[str, F(2, "Name of the system.", required=True)] = always(str)
    secretRef: Annotated[
        SecretReference | None, F(3, "Secret with the credentials.", required=True)
    ] = nullable()
    sslEnabled: Annotated[bool, F(4, "Whether to speak TLS with the gateway.")] = False
    protectionDomain: Annotated[str, F(5, "Name of the protection domain.")] = ""
    storagePool: Annotated[str, F(6, "Pool of the protection domain.")] = ""
    storageMode: Annotated[str, F(7, "ThickProvisioned or ThinProvisioned.")] = ""
    volumeName: Annotated[str, F(8, "Name of the volume.")] = ""
    fsType: Annotated[str, F(9, "File system that it is mounted as.")] = ""
    readOnly: Annotated[bool, F(10, "Whether it cannot be written.")] = False


class StorageOSPersistentVolumeSource(Message):
    """A volume of StorageOS."""

    volumeName: Annotated[str, F(1, "Name of the volume.")] = ""
    volumeNamespace: Annotated[str, F(2, "Its namespace within StorageOS.")] = ""
    fsType: Annotated[str, F(3, "File system that it is mounted as.")] = ""
    readOnly: Annotated[bool, F(4, "Whether it cannot be written.")] = False
    secretRef: Annotated[ObjectReference | None, F(5, "Secret with the credentials.")] = None


class PersistentVolumeSource(Message):
    """Where the storage is; exactly one is given."""

    gcePersistentDisk: Annotated[
        GCEPersistentDiskVolumeSource | None, F(1, "A disk of Google Compute Engine.")
    ] = None
    awsElasticBlockStore: Annotated[
        AWSElasticBlockStoreVolumeSource | None, F(2, "A disk of Amazon's Elastic Block Store.")
    ] = None
    hostPath: Annotated[
        HostPathVolumeSource | None, F(3, "A folder of the node, for trying things out.")
    ] = None
    glusterfs: Annotated[GlusterfsPersistentVolumeSource | None, F(4, "A volume of Glusterfs.")] = (
        None
    )
    nfs: Annotated[NFSVolumeSource | None, F(5, "A folder of an NFS server.")] = None
    rbd: Annotated[RBDPersistentVolumeSource | None, F(6, "A block device of Ceph.")] = None
    iscsi: Annotated[ISCSIPersistentVolumeSource | None, F(7, "A disk over iSCSI.")] = None
    cinder: Annotated[
        CinderPersistentVolumeSource | None, F(8, "A volume of OpenStack Cinder.")
    ] = None
    cephfs: Annotated[
        CephFSPersistentVolumeSource | None, F(9, "A folder of Ceph's file system.")
    ] = None
    fc: Annotated[FCVolumeSource | None, F(10, "A disk over Fibre Channel.")] = None
    flocker: Annotated[FlockerVolumeSource | None, F(11, "A volume of Flocker.")] = None
    flexVolume: Annotated[
        FlexPersistentVolumeSource | None, F(12, "A volume by a driver program on the node.")
    ] = None
    azureFile: Annotated[
        AzureFilePersistentVolumeSource | None, F(13, "A share of Azure Files.")
    ] = None
    vsphereVolume: Annotated[VsphereVirtualDiskVolumeSource | None, F(14, "A disk of vSphere.")] = (
        None
    )
    quobyte: Annotated[QuobyteVolumeSource | None, F(15, "A volume of Quobyte.")] = None
    azureDisk: Annotated[AzureDiskVolumeSource | None, F(16, "A disk of Azure.")] = None
    photonPersistentDisk: Annotated[
        PhotonPersistentDiskVolumeSource | None, F(17, "A disk of Photon.")
    ] = None
    portworxVolume: Annotated[PortworxVolumeSource | None, F(18, "A volume of Portworx.")] = None
    scaleIO: Annotated[ScaleIOPersistentVolumeSource | None, F(19, "A volume of ScaleIO.")] = None
    local: Annotated[
        LocalVolumeSource | None, F(20, "A disk or folder that is attached to one node.")
    ] = None
    storageos: Annotated[
        StorageOSPersistentVolumeSource | None, F(21, "A volume of StorageOS.")
    ] = None
    csi: Annotated[CSIPersistentVolumeSource | None, F(22, "A volume by a CSI driver.")] = None
